/*
 * The tests, run again by the runner's watch mode when a source changes: it
 * must find what breaks them, and what mends them.
 */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';

const SOURCE = 'src/price.ts';
const DEADLINE_MS = 60000;
const good = readFileSync(SOURCE, 'utf8');
const runner = spawn('node_modules/.bin/vitest', ['--watch'],
  { stdio: ['ignore', 'pipe', 'inherit'] });
const ended = new Promise((resolve) => runner.on('exit', resolve));
let unread = '';
let heard = () => {};

runner.stdout.on('data', (text) => {
  process.stdout.write(text);
  unread += text;
  heard();
});

/* Text of the same length, written over: nobody can find the file empty. */
function save(text) {
  const file = openSync(SOURCE, 'r+');

  writeSync(file, text);
  closeSync(file);
}

/* Until the runner has said that, and then that it waits for changes. */
function result(words) {
  const wanted = new RegExp(`${words}[^]*(Waiting|Watching) for file changes`);

  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      runner.kill('SIGKILL');
      reject(new Error(`no "${words}" within a minute`));
    }, DEADLINE_MS);
    heard = () => {
      if (wanted.test(unread)) {
        clearTimeout(timer);
        unread = '';
        resolve();
      }
    };
    heard();
  });
}

await result('7 passed');
save(good.replace('0.9', '0.8'));
await result('2 failed');
save(good);
await result('4 passed');
runner.kill('SIGTERM');
console.log('the runner ended with', await ended);
