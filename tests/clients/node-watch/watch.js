/*
 * One directory, or a tree, watched with node's fs.watch; a line for each of
 * its reports.
 *
 *     watch.js DIRECTORY [recursive]
 */
'use strict';
const fs = require('fs');

const [, , directory, recursive] = process.argv;
fs.watch(directory, { recursive: recursive !== undefined }, (type, name) => {
  fs.writeSync(1, `${type}|${name}\n`);
});
fs.writeSync(1, 'ready\n');
