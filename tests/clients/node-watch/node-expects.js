#!/usr/bin/env node
/*
 * What programs on libuv expect of fs.watch, as cases like those of the guest
 * programs (tests/conformance/guest.h): each runs in a directory of its own.
 *
 *     node-expects.js [CASE...]
 */
'use strict';
const assert = require('assert');
const fs = require('fs');
const path = require('path');

const QUIET_MS = 250; // that something would have come by
const PATIENCE_MS = 10000;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/* A watcher and what it has reported. */
function watch(target, options) {
  const reports = [];
  const watcher = fs.watch(target, options || {},
    (type, name) => reports.push(`${type} ${name}`));
  return { reports, close: () => watcher.close() };
}

/* Waits for a report, then until no more have come. */
async function reported(watcher, wanted) {
  const end = Date.now() + PATIENCE_MS;
  while (!watcher.reports.includes(wanted)) {
    assert(Date.now() < end, `no '${wanted}' in ${watcher.reports}`);
    await sleep(5);
  }
  await sleep(QUIET_MS);
}

const cases = {
  /* Item 149: a never-written file. */
  async one_report_for_each_create_and_unlink(dir) {
    const file = path.join(dir, 'file');
    const watcher = watch(dir);
    fs.closeSync(fs.openSync(file, 'w'));
    await reported(watcher, 'rename file');
    assert.deepStrictEqual(watcher.reports, ['rename file']);
    fs.unlinkSync(file);
    for (let ms = 0; watcher.reports.length < 2 && ms < PATIENCE_MS; ms += 5)
      await sleep(5);
    await sleep(QUIET_MS);
    assert.deepStrictEqual(watcher.reports, ['rename file', 'rename file']);
    watcher.close();
  },

  async a_name_that_only_begins_alike_is_silent(dir) {
    const jsx = path.join(dir, 'file.jsx');
    fs.writeFileSync(jsx, '');
    const watcher = watch(jsx);
    fs.writeFileSync(path.join(dir, 'file.js'), 'text');
    await sleep(QUIET_MS);
    assert.deepStrictEqual(watcher.reports, []);
    fs.writeFileSync(jsx, 'text');
    await reported(watcher, 'change file.jsx');
    watcher.close();
  },

  async stopping_one_of_two_leaves_the_other(dir) {
    const one = watch(dir);
    const other = watch(dir);
    one.close();
    fs.writeFileSync(path.join(dir, 'file'), 'text');
    await reported(other, 'rename file');
    assert.deepStrictEqual(one.reports, []);
    other.close();
  },

  /* Item 150 */
  async a_file_reports_change_and_its_base_name(dir) {
    const file = path.join(dir, 'document');
    fs.writeFileSync(file, 'text');
    const watcher = watch(file);
    fs.appendFileSync(file, 'more');
    await reported(watcher, 'change document');
    assert(watcher.reports.every((each) => each === 'change document'),
      watcher.reports.join());
    watcher.close();
  },

  async a_directory_reports_its_entry(dir) {
    fs.writeFileSync(path.join(dir, 'entry'), 'text');
    const watcher = watch(dir);
    fs.appendFileSync(path.join(dir, 'entry'), 'more');
    await reported(watcher, 'change entry');
    assert(watcher.reports.every((each) => each === 'change entry'),
      watcher.reports.join());
    watcher.close();
  },

  async recursively_a_file_made_after_its_mkdir(dir) {
    const outside = path.join(dir, 'outside');
    const tree = path.join(dir, 'tree');
    fs.mkdirSync(outside);
    fs.mkdirSync(tree);
    fs.symlinkSync(outside, path.join(tree, 'link'));
    const watcher = watch(tree, { recursive: true });
    await sleep(QUIET_MS); // node looks at the tree in the background
    fs.mkdirSync(path.join(tree, 'sub'));
    await sleep(QUIET_MS); // and watches what is new when it is told
    fs.writeFileSync(path.join(tree, 'sub', 'file'), 'text');
    await reported(watcher, 'rename sub/file');
    fs.writeFileSync(path.join(outside, 'other'), 'text');
    await sleep(QUIET_MS);
    assert(watcher.reports.every((each) => !each.includes('other')),
      watcher.reports.join());
    watcher.close();
  },
};

async function main() {
  const root = process.env.VNOTIFY_TEST_DIR || fs.mkdtempSync('/tmp/node-');
  const chosen = process.argv.slice(2);
  let failed = false;
  for (const [name, run] of Object.entries(cases)) {
    if (chosen.length && !chosen.includes(name)) continue;
    const dir = path.join(root, name);
    const start = Date.now();
    let result = 'ok  ';
    fs.mkdirSync(dir);
    try {
      await run(dir);
    } catch (error) {
      console.log(`     ${error.message.split('\n').join(' ')}`);
      result = 'FAIL';
      failed = true;
    }
    fs.rmSync(dir, { recursive: true });
    console.log(`${result} ${name} (${Date.now() - start} ms)`);
  }
  process.exit(failed ? 1 : 0);
}

main();
