// Sends every message back; it knows nothing of restarts.
'use strict';

const { WebSocketServer } = require('ws');

new WebSocketServer({ port: process.env.PORT, host: '127.0.0.1' }).on('connection', (socket) => {
  socket.on('message', (message, isBinary) => socket.send(message, { binary: isBinary }));
});
