// The classic recipe, around an app that knows nothing of it: on SIGTERM accept nothing new, refuse
// what still comes on old connections with 502 and `Connection: close`, and exit when all are gone.
'use strict';

const http = require('node:http');

const createServer = http.createServer;
let leaving = false;

http.createServer = (app) => {
  const server = createServer((req, res) => {
    if (!leaving) return app(req, res);
    req.resume();
    res.writeHead(502, { Connection: 'close' }).end();
  });
  process.once('SIGTERM', () => {
    leaving = true;
    server.close(() => process.exit());
  });
  return server;
};

require('../../../tests/apps/node/server.js');
