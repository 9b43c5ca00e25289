/*
 * A tree watched with watchpack; a line for each path of its aggregated
 * reports.
 */
'use strict';
const fs = require('fs');
const path = require('path');
const Watchpack = require('watchpack');

const root = process.argv[2];
const watcher = new Watchpack({ aggregateTimeout: 20, poll: false });
const say = (kind, file) =>
  fs.writeSync(1, `${kind}|${path.relative(root, file) || '.'}\n`);

watcher.on('change', (file, time, explanation) => {
  if (file === root && typeof explanation === 'string') return;
  say(time === null ? 'gone' : 'change', file);
});
watcher.on('remove', (file) => say('remove', file));
watcher.on('aggregated', (changes, removals) => {
  for (const file of changes) say('aggregated-change', file);
  for (const file of removals) say('aggregated-remove', file);
});
// Whatever it finds when it first looks into a directory is reported.
watcher.watch({ directories: [root], startTime: 1 });
