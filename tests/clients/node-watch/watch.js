/*
 * One directory, or a tree, watched with node's fs.watch; a line for each of
 * its reports.
 *
 *     watch.js DIRECTORY [recursive]
 */
'use strict';
const fs = require('fs');

const [, , directory, recursive] = process.argv;
const watcher = fs.watch(directory, { recursive: recursive !== undefined },
  (type, name) => {
    fs.writeSync(1, `${type}|${name}\n`);
  });
// A directory that went as it was about to read it: it goes on.
watcher.on('error', (error) => fs.writeSync(1, `error|${error.code}\n`));
fs.writeSync(1, 'ready\n');
