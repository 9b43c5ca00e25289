/*
 * One directory watched with node's fs.watch; a line for each of its reports.
 */
'use strict';
const fs = require('fs');

fs.watch(process.argv[2], (type, name) => {
  fs.writeSync(1, `${type}|${name}\n`);
});
fs.writeSync(1, 'ready\n');
