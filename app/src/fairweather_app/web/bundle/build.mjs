// Bundles echarts.js into the folder named on the command line, with its licences, and packs it and
// the page's own files. Run by hatch_build.py beside the node_modules that `npm ci --ignore-scripts`
// has filled.
//
// The same lock file gives the same bytes on every machine: esbuild is pinned, no path and no time
// enters its output, fflate (plain JavaScript) compresses alike whatever zlib a machine has, and
// brotli is the one inside the pinned Node.
import { createHash } from "node:crypto";
import { brotliCompressSync, constants } from "node:zlib";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { gzipSync } from "fflate";

const target = process.argv[2];
if (!target) throw new Error("build.mjs needs the folder to write into as its argument");
mkdirSync(target, { recursive: true });

const version = JSON.parse(readFileSync("node_modules/echarts/package.json", "utf8")).version;
const { outputFiles } = buildSync({
  entryPoints: ["echarts.js"],
  bundle: true,
  minify: true,
  write: false,
  format: "esm",
  target: ["es2020"],
  charset: "utf8",
  legalComments: "none",
  define: { "process.env.NODE_ENV": '"production"' },
  banner: { js: `/* Part of Apache ECharts ${version}, Apache-2.0: see LICENSE.echarts.txt */` },
});
writeFileSync(join(target, "echarts.js"), outputFiles[0].contents);

// Packed forms are named by the digest of what they hold, as web/assets.py looks for them.
const packed = join(target, "packed");
mkdirSync(packed, { recursive: true });
for (const name of [join(target, "echarts.js"), "page.css", "page.js"]) {
  const content = readFileSync(name);
  const digest = createHash("sha256").update(content).digest("hex").slice(0, 16);
  // fflate writes the modification time it is given; the first second of 1980 is its "none".
  const zipped = gzipSync(content, { level: 9, mem: 12, mtime: new Date(1980, 0, 1) });
  zipped.fill(0, 4, 8); // RFC 1952: MTIME of zero says that no time stamp is available
  zipped[9] = 255; // and OS 255 that no operating system is named
  writeFileSync(join(packed, `${digest}.gz`), zipped);
  const params = {
    [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
    [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
    [constants.BROTLI_PARAM_SIZE_HINT]: content.length,
  };
  writeFileSync(join(packed, `${digest}.br`), brotliCompressSync(content, { params }));
}

for (const [from, to] of [
  ["echarts/LICENSE", "LICENSE.echarts.txt"],
  ["echarts/NOTICE", "NOTICE.echarts.txt"],
  ["zrender/LICENSE", "LICENSE.zrender.txt"],
  ["tslib/LICENSE.txt", "LICENSE.tslib.txt"],
]) {
  copyFileSync(join("node_modules", from), join(target, to));
}
