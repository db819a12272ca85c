//! The worker in front of any other app: `worker -- node server.js`.
