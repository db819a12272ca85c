// A plain Express app: nothing in it knows of restarts, sockets or signals.
'use strict';

const express = require('express');

const app = express();

app.get('/', (req, res) => res.send('hello from the shop\n'));

app.get('/slow', (req, res) => setTimeout(() => res.send('slow\n'), Number(req.query.ms)));

// The body goes back as it comes.
app.post('/echo', (req, res) => req.pipe(res));

// How many bytes came is told once all are here.
app.post('/upload', (req, res) => {
  let bytes = 0;
  req.on('data', (part) => { bytes += part.length; });
  req.on('end', () => res.send(`${bytes} bytes\n`));
});

// Server-sent events: `count` of them (or for ever), one every `ms` milliseconds.
app.get('/events', (req, res) => {
  const { count = Infinity, ms = 1000 } = req.query;
  res.type('text/event-stream');
  let sent = 0;
  const send = () => {
    res.write(`data: ${sent++}\n\n`);
    if (sent < count) return;
    clearInterval(timer);
    res.end();
  };
  const timer = setInterval(send, Number(ms));
  res.on('close', () => clearInterval(timer));
  send();
});

// As many bytes as asked for: 0 to 250, again and again.
app.get('/download', (req, res) => {
  const piece = Buffer.from(Array.from({ length: 251 * 256 }, (_, at) => at % 251));
  let left = Number(req.query.bytes);
  res.set('Content-Length', left);
  const send = () => {
    while (left > 0) {
      const part = piece.subarray(0, left);
      left -= part.length;
      if (!res.write(part)) return res.once('drain', send);
    }
    res.end();
  };
  send();
});

// The worker chooses a free port, and tells it in PORT.
app.listen(process.env.PORT, '127.0.0.1');
