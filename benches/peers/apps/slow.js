// Required before an app, which then boots for a second more.
'use strict';

Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
