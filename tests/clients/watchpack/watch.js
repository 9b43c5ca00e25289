/*
 * A tree watched with watchpack; a line for each path of its aggregated
 * reports, and one when it has reported all files that were there before.
 */
'use strict';
const fs = require('fs');
const path = require('path');
const Watchpack = require('watchpack');

const root = process.argv[2];
const watcher = new Watchpack({ aggregateTimeout: 20, poll: false });
const say = (kind, file) =>
  fs.writeSync(1, `${kind}|${path.relative(root, file) || '.'}\n`);

const unseen = new Set(
  fs.readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.path, entry.name)));

watcher.on('change', (file, time, explanation) => {
  if (unseen.delete(file) && unseen.size === 0) fs.writeSync(1, 'ready\n');
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
