// Draws the chart, which fingers and keys can walk along; the page's tables hold the same numbers.
// Labels come ready from the server, in the area's local time. Loaded only where the chart library
// is there.

// Heights add up to those of .panel in page.css, which keep the room: nothing moves.
const PANEL = { first: 230, other: 120, gap: 50, top: 36, bottom: 30, left: 44, right: 8 };
const TONES = ["--warm", "--wet", "--third"];

const figure = document.querySelector("figure.chart");
if (figure) await draw(figure);

async function draw(figure) {
  const plot = figure.querySelector(".plot");
  const numbers = JSON.parse(figure.querySelector(".numbers").textContent);
  figure.hidden = false;
  const { init } = await import(plot.dataset.library).catch((error) => {
    figure.remove();
    throw error;
  });

  plot.setAttribute("aria-label", `${numbers.description} The arrow keys walk along the hours.`);
  plot.style.height = `${layout(numbers.series.length).height}px`;
  const chart = init(plot, null, { renderer: "canvas" });
  const show = () => chart.setOption(options(numbers, palette(figure), plot.clientWidth), true);
  show();
  new ResizeObserver(() => {
    chart.resize();
    show();
  }).observe(plot);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  walkByKeyboard(plot, chart, numbers, figure.querySelector("[aria-live]"));
}

// Colours as the style sheet resolves them, light or dark; a canvas cannot read custom properties.
function palette(figure) {
  const probe = figure.appendChild(document.createElement("i"));
  const resolved = (name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const colours = {
    tones: TONES.map(resolved),
    ...Object.fromEntries(
      ["ink", "quiet", "line", "night", "paper", "raised", "seen"].map((name) => [name, resolved(`--${name}`)]),
    ),
    font: getComputedStyle(figure).fontFamily,
  };
  probe.remove();
  return colours;
}

// One panel per variable, stacked over a common time axis: two scales in one panel mislead.
function layout(count) {
  const panels = [];
  let top = PANEL.top;
  for (let i = 0; i < count; i += 1) {
    const height = i === 0 ? PANEL.first : PANEL.other;
    panels.push({ top, height });
    top += height + PANEL.gap;
  }
  return { panels, height: top - PANEL.gap + PANEL.bottom };
}

function options(numbers, colour, width) {
  const { panels } = layout(numbers.series.length);
  return {
    animation: false,
    textStyle: { fontFamily: colour.font, color: colour.quiet },
    grid: panels.map(({ top, height }) => ({
      top, height, left: PANEL.left, right: PANEL.right, outerBoundsMode: "none",
    })),
    xAxis: panels.map((_, i) => timeAxis(numbers, colour, i, panels.length, width)),
    yAxis: numbers.series.map((series, i) => valueAxis(series, colour, i)),
    series: numbers.series.flatMap((series, i) => lines(series, numbers, colour, i)),
    axisPointer: {
      link: [{ xAxisIndex: "all" }],
      lineStyle: { color: colour.quiet, type: "solid", width: 1 },
      label: { show: false },
    },
    tooltip: {
      trigger: "axis",
      confine: true,
      padding: [8, 12],
      backgroundColor: colour.raised,
      borderColor: colour.line,
      textStyle: { color: colour.ink, fontFamily: colour.font },
      formatter: (points) => tip(points, numbers),
    },
  };
}

function timeAxis(numbers, colour, i, count, width) {
  const names = new Map(numbers.days.map((day) => [day.at, day.name]));
  const room = width / numbers.days.length;
  const inside = numbers.days.map((day) => day.at)
    .filter((at) => at >= numbers.begin && at <= numbers.end);
  return {
    gridIndex: i,
    type: "value",
    min: numbers.begin,
    max: numbers.end,
    axisLine: { show: i === count - 1, onZero: false, lineStyle: { color: colour.line } },
    axisTick: { show: false },
    splitLine: { show: false },
    axisLabel: {
      show: i === count - 1,
      customValues: inside,
      color: colour.quiet,
      margin: 10,
      fontSize: 13,
      formatter: (at) => (room < 58 ? names.get(at)?.split(/\s/)[0] : names.get(at)) ?? "",
    },
  };
}

function valueAxis(series, colour, i) {
  return {
    gridIndex: i,
    type: "value",
    min: series.low,
    max: series.high,
    interval: series.step,
    axisLine: { show: false },
    axisTick: { show: false },
    name: `{tone|${series.label}} {unit|${series.unit}}`,
    nameLocation: "end",
    nameGap: 21,
    nameTextStyle: {
      align: "left",
      padding: [0, 0, 0, -PANEL.left + 6],
      rich: {
        tone: { color: colour.tones[i % colour.tones.length], fontWeight: 600, fontSize: 14 },
        unit: { color: colour.quiet, fontSize: 13 },
      },
    },
    axisLabel: {
      color: colour.quiet,
      fontSize: 13,
      formatter: (value) => String(value).replace("-", "\u2212"),
    },
    splitLine: { lineStyle: { color: colour.line } },
  };
}

// The line of a variable, its nights and midnights behind it and, where the model declares one, its
// band: stacked from the lower bound with "all", or it would be drawn wrongly below zero.
function lines(series, numbers, colour, i) {
  const tone = colour.tones[i % colour.tones.length];
  const common = {
    type: "line", xAxisIndex: i, yAxisIndex: i, symbol: "circle", symbolSize: 7,
    showSymbol: false, silent: true,
  };
  const points = (values) => numbers.time.map((time, k) => [time, values[k]]);
  const line = {
    ...common,
    id: series.name,
    z: 3,
    data: points(series.value),
    lineStyle: { color: tone, width: 2.25, cap: "round", join: "round" },
    itemStyle: { color: tone },
    markArea: {
      z: 0,
      silent: true,
      itemStyle: { color: colour.night },
      data: numbers.nights.map(([from, to]) => [{ xAxis: from }, { xAxis: to }]),
    },
    markLine: {
      z: 1,
      silent: true,
      symbol: "none",
      label: { show: false, distance: 4 },
      lineStyle: { color: colour.line, type: "solid", width: 1 },
      data: [
        ...numbers.midnights.map((at) => ({ xAxis: at })),
        ...edges(numbers, colour, i === 0),
      ],
    },
  };
  const lines = [line];
  // Observations are dashed and in ink: they differ from the forecast by more than colour.
  for (const [when, values] of [["past", series.recent], ["time", series.observed]]) {
    if (values?.some((value) => value !== null)) {
      lines.push({
        ...common,
        id: `${series.name} ${when}`,
        z: 4,
        data: numbers[when].map((time, k) => [time, values[k]]),
        lineStyle: { color: colour.seen, type: [5, 3], width: 1.5 },
        tooltip: { show: false },
      });
    }
  }
  if (!series.lower || !series.upper) return lines;
  const edge = {
    ...common,
    stack: `band ${series.name}`,
    stackStrategy: "all",
    lineStyle: { opacity: 0 },
    tooltip: { show: false },
  };
  const width = series.upper.map((upper, k) =>
    upper === null || series.lower[k] === null ? null : upper - series.lower[k]);
  return [
    { ...edge, id: `${series.name} lower`, data: points(series.lower) },
    {
      ...edge,
      id: `${series.name} upper`,
      data: points(width),
      areaStyle: { color: tone, opacity: 0.16 },
    },
    ...lines,
  ];
}

// Where the forecast starts and, when it is within the chart, now; named once, above the first
// panel. Where the two are close, only now is named.
function edges(numbers, colour, named) {
  const edge = (at, name, type) => ({
    xAxis: at,
    lineStyle: { color: colour.quiet, type, width: 1 },
    label: {
      show: named && name !== "", formatter: name, position: "end", distance: 4,
      color: colour.quiet, fontSize: 12,
    },
  });
  const room = (numbers.end - numbers.begin) * 0.06;
  const near = numbers.now !== null && Math.abs(numbers.now - numbers.start) < room;
  const marks = [];
  if (numbers.start > numbers.begin) marks.push(edge(numbers.start, near ? "" : "start", "solid"));
  if (numbers.now !== null) marks.push(edge(numbers.now, "now", [2, 3]));
  return marks;
}

// Built from elements and classes: the page allows no inline style, and no text becomes markup.
// Hours before the start have no tip: their values are in the table of recent observations.
function tip(points, numbers) {
  const at = points[0]?.axisValue ?? numbers.time[0];
  const k = numbers.time.indexOf(at);
  if (k < 0) return "";
  const box = element("div", "tip");
  box.append(element("p", "when", numbers.when[k]));
  const list = box.appendChild(element("dl"));
  for (const [name, value, kind] of readings(numbers, k)) {
    list.append(element("dt", kind, name), element("dd", kind, value));
  }
  return box;
}

// What is shown of hour k: name, value and class of each line.
function readings(numbers, k) {
  return numbers.series.flatMap((series, i) => {
    if (series.value[k] === null) return [];
    const text = (value) => value.toFixed(series.digits).replace("-", "\u2212");
    const found = [[series.label, `${text(series.value[k])} ${series.unit}`, `tone-${i % TONES.length}`]];
    if (series.lower && series.lower[k] !== null) {
      const band = `${text(series.lower[k])} to ${text(series.upper[k])} ${series.unit}`;
      found.push([series.band, band, "band"]);
    }
    if (series.observed[k] !== undefined && series.observed[k] !== null) {
      found.push(["observed", `${text(series.observed[k])} ${series.unit}`, "band"]);
    }
    return found;
  });
}

function element(name, className = "", content = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.textContent = content;
  return made;
}

// The arrow keys walk along the hours, Escape puts the pointer away; screen readers read it out.
function walkByKeyboard(plot, chart, numbers, live) {
  let at = -1;
  plot.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, PageDown: 24, PageUp: -24 }[event.key];
    if (event.key === "Escape") {
      at = -1;
      live.textContent = "";
      chart.dispatchAction({ type: "hideTip" });
    } else if (step) {
      event.preventDefault();
      at = Math.min(Math.max(at + step, 0), numbers.time.length - 1);
      const seriesIndex = chart.getOption().series.findIndex((series) => series.z === 3);
      chart.dispatchAction({ type: "showTip", seriesIndex, dataIndex: at });
      const lines = readings(numbers, at).map(([name, value]) => `${name} ${value}`);
      live.textContent = [numbers.when[at], ...lines].join(", ");
    }
  });
}
