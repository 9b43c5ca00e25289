/*
 * A tree watched with chokidar; a line for each of its reports.
 *
 *     watch.js MODULE TREE
 */
'use strict';
const fs = require('fs');
const path = require('path');

const [, , name, root] = process.argv;
const watcher = require(name).watch(root, { ignoreInitial: true });
watcher.on('all', (kind, file) => {
  fs.writeSync(1, `${kind}|${path.relative(root, file) || '.'}\n`);
});
watcher.on('error', (error) => fs.writeSync(1, `error|${error.message}\n`));
watcher.on('ready', () => fs.writeSync(1, 'ready\n'));
