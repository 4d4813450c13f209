// Bundles echarts.js into the folder named on the command line, with its licences. Run by
// hatch_build.py beside the node_modules that `npm ci --ignore-scripts` has filled.
//
// The same lock file gives the same bytes on every machine: esbuild is pinned, and neither path nor
// time enters its output.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildSync } from "esbuild";

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

for (const [from, to] of [
  ["echarts/LICENSE", "LICENSE.echarts.txt"],
  ["echarts/NOTICE", "NOTICE.echarts.txt"],
  ["zrender/LICENSE", "LICENSE.zrender.txt"],
  ["tslib/LICENSE.txt", "LICENSE.tslib.txt"],
]) {
  copyFileSync(join("node_modules", from), join(target, to));
}
