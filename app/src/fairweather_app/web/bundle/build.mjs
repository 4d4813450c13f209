// Bundles echarts.js into the folder named on the command line, with its licences and a compressed
// twin. Run by hatch_build.py beside the node_modules that `npm ci --ignore-scripts` has filled.
//
// The same lock file gives the same bytes on every machine: esbuild is pinned, no path and no time
// enters its output, and fflate (plain JavaScript) compresses alike whatever zlib a machine has.
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
// fflate writes the modification time it is given; the first second of 1980 is its "none".
const script = outputFiles[0].contents;
const packed = gzipSync(script, { level: 9, mem: 12, mtime: new Date(1980, 0, 1) });
packed.fill(0, 4, 8); // RFC 1952: MTIME of zero says that no time stamp is available
packed[9] = 255; // and OS 255 that no operating system is named

writeFileSync(join(target, "echarts.js"), script);
writeFileSync(join(target, "echarts.js.gz"), packed);
for (const [from, to] of [
  ["echarts/LICENSE", "LICENSE.echarts.txt"],
  ["echarts/NOTICE", "NOTICE.echarts.txt"],
  ["zrender/LICENSE", "LICENSE.zrender.txt"],
  ["tslib/LICENSE.txt", "LICENSE.tslib.txt"],
]) {
  copyFileSync(join("node_modules", from), join(target, to));
}
