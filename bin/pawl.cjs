#!/usr/bin/env node
// CommonJS and old syntax on purpose: an old Node must be able to read this far and say what is wrong.
var folder = null;
var major = Number(process.versions.node.split(".")[0]);
if (major < 24) {
  process.stderr.write(
    "pawl needs Node 24 or newer, and this is Node " +
      process.versions.node +
      ": install a newer Node and run the command again.\n",
  );
  process.exitCode = 2;
} else {
  // What was compiled once is not compiled again by the next command: a fifth of its time.
  folder = require("./cache-folder.cjs")();
  if (folder !== null) require("node:module").enableCompileCache(folder);
  if (!process.env.UV_THREADPOOL_SIZE) {
    // Threads that wait for the disk: files that are flushed at once share one write of its journal. They are started by
    // the first question, and are for this process alone.
    process.env.UV_THREADPOOL_SIZE = "32";
    require("node:fs").access(__filename, Boolean);
    delete process.env.UV_THREADPOOL_SIZE;
  }
  import("../dist/cli/main.js");
}
