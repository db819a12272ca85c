// Node's own http, nothing else; the same routes as the Express example.
'use strict';

const http = require('node:http');

const piece = Buffer.from(Array.from({ length: 251 * 256 }, (_, at) => at % 251));

const warmUp = Number(process.env.WARM_UP_MS ?? 0) / 1000;

const routes = {
  'GET /ready': (req, res) => res.writeHead(process.uptime() < warmUp ? 503 : 200).end(),
  'GET /': (req, res) => res.end('hello\n'),
  'GET /slow': (req, res, query) => setTimeout(() => res.end('slow\n'), Number(query.get('ms'))),
  'POST /echo': (req, res) => req.pipe(res),
  'POST /ignore': () => {},
  'GET /events': events,
  'GET /download': download,
};

http.createServer((req, res) => {
  const { pathname, searchParams } = new URL(req.url, 'http://app');
  const route = routes[`${req.method} ${pathname}`];
  if (route) return route(req, res, searchParams);
  res.writeHead(404).end();
}).listen(process.env.SOCKET_PATH ?? { port: process.env.PORT, host: '127.0.0.1' });

function events(req, res, query) {
  const count = Number(query.get('count') ?? Infinity);
  res.writeHead(200, { 'Content-Type': 'text/event-stream' });
  let sent = 0;
  const timer = setInterval(send, Number(query.get('ms')));
  res.on('close', () => clearInterval(timer));
  send();

  function send() {
    res.write(`data: ${sent++}\n\n`);
    if (sent < count) return;
    clearInterval(timer);
    res.end();
  }
}

function download(req, res, query) {
  let left = Number(query.get('bytes'));
  res.writeHead(200, { 'Content-Length': left });
  send();

  function send() {
    while (left > 0) {
      const part = piece.subarray(0, left);
      left -= part.length;
      if (!res.write(part)) return res.once('drain', send);
    }
    res.end();
  }
}
