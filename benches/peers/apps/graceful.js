// What PM2's documentation asks of an app for `reload`: say ready when it listens (wait_ready), and on
// SIGINT close the server and exit when it is closed.
'use strict';

const http = require('node:http');

const createServer = http.createServer;

http.createServer = (app) => {
  const server = createServer(app);
  server.on('listening', () => process.send('ready'));
  process.once('SIGINT', () => server.close(() => process.exit()));
  return server;
};

require('../../../tests/apps/node/server.js');
