import { defineConfig } from 'vitest/config';

export default defineConfig({
  /* How long a test takes must not show in what is printed. */
  test: { slowTestThreshold: 600000 },
});
