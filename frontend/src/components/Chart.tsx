/** Lines, dots and bars over one axis. uPlot draws on a canvas, so colors and fonts are read from the page's styles. */
import { useEffect, useMemo, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { locale, t } from "../texts";
import { number } from "./format";

/** Below this many values each one gets a dot; a single value has no line. */
const FEW = 25;
export const SERIES_COLORS = 6;

export interface Line {
  label: string;
  x: readonly number[];
  y: readonly (number | null)[];
  /** Bounds of the values, drawn as a band. */
  low?: readonly (number | null)[];
  high?: readonly (number | null)[];
  /** Which color of the palette; `muted` stands back, as raw values behind smoothed ones do. */
  color?: number | "muted";
  draw?: "line" | "dashed" | "dots" | "bars";
}

export interface ChartProps {
  label: string;
  lines: readonly Line[];
  /** Charts of one key share their cursor. */
  syncKey?: string;
  height?: number;
  xLabel?: string;
  yRange?: readonly [number, number];
  xRange?: readonly [number, number];
  /** Names the lines below the plot; for more than one kind of thing. */
  legend?: boolean;
  /** The x values are instants in seconds since 1970. */
  time?: boolean;
}

export function Chart(props: ChartProps) {
  const { label, lines, syncKey, height = 170, xLabel, yRange, xRange, legend = false } = props;
  const holder = useRef<HTMLDivElement>(null);
  const readout = useRef<HTMLSpanElement>(null);
  const plot = useRef<uPlot | null>(null);
  const data = useMemo(() => aligned(lines), [lines]);
  const latest = useRef(data);
  /** Everything that asks for a new plot; values alone do not. */
  const shape = JSON.stringify([
    lines.map((line) => [line.label, line.color, line.draw, hasBand(line)]),
    height,
    xLabel,
    yRange,
    xRange,
  ]);
  const settings = useRef(props);
  useEffect(() => {
    settings.current = props;
    latest.current = data;
  });

  useEffect(() => {
    const element = holder.current;
    if (element === null) return;
    const draw = () => {
      plot.current?.destroy();
      const last = 1 + settings.current.lines.findLastIndex((line) => line.color !== "muted");
      const read = (index: number | null | undefined) => {
        const values = plot.current?.data[last] ?? [];
        const value = index === null || index === undefined ? lastOf(values) : values[index];
        if (readout.current) readout.current.textContent = number(value);
      };
      plot.current = new uPlot(options(element, settings.current, read), latest.current, element);
    };
    draw();
    const resize = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height }));
    resize.observe(element);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const theme = new MutationObserver(draw);
    scheme.addEventListener("change", draw);
    theme.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    return () => {
      resize.disconnect();
      theme.disconnect();
      scheme.removeEventListener("change", draw);
      plot.current?.destroy();
      plot.current = null;
    };
  }, [syncKey, shape, height]);

  useEffect(() => {
    plot.current?.setData(data);
  }, [data]);

  const named = lines.filter((line) => line.color !== "muted");
  const summary = named
    .map((line) => `${line.label}: ${number(line.y[0])} → ${number(lastOf(line.y))}`)
    .join("; ");
  const single = named.length === 1 && !legend;
  return (
    <figure className="chart">
      <figcaption>
        <span className="chart-name">{label}</span>
        {single && (
          <span ref={readout} className="chart-value">
            {number(lastOf(named[0]?.y ?? []))}
          </span>
        )}
      </figcaption>
      <div ref={holder} role="img" aria-label={t.charts.summary(label, summary)} />
      {legend && (
        <ul className="legend">
          {lines.map((line, index) => (
            <li key={`${line.label}-${index}`} className={`swatch swatch-${colorName(line, index)}`}>
              {line.label}
            </li>
          ))}
        </ul>
      )}
    </figure>
  );
}

function lastOf(values: ArrayLike<number | null | undefined>): number | null {
  for (let index = values.length - 1; index >= 0; index--) {
    const value = values[index];
    if (value !== null && value !== undefined) return value;
  }
  return null;
}

/** All lines over the union of their x values, null where a line has none; the bounds of bands come last. */
function aligned(lines: readonly Line[]): uPlot.AlignedData {
  if (lines.length === 0) return [[]];
  const table = (line: Line, values: Line["y"]) => [[...line.x], [...values]] as uPlot.AlignedData;
  const tables = [
    ...lines.map((line) => table(line, line.y)),
    ...lines.filter(hasBand).flatMap((line) => [table(line, line.high ?? []), table(line, line.low ?? [])]),
  ];
  return tables.length === 1 ? (tables[0] ?? [[]]) : uPlot.join(tables);
}

function hasBand({ low, high }: Line): boolean {
  return low?.some((bound) => bound !== null) === true && high !== undefined;
}

function colorName(line: Line, index: number): string {
  return line.color === "muted" ? "muted" : String((line.color ?? index) % SERIES_COLORS);
}

function options(
  element: HTMLElement,
  props: ChartProps,
  read: (index: number | null | undefined) => void,
): uPlot.Options {
  const css = getComputedStyle(element);
  const color = (name: string) => resolved(element, css.getPropertyValue(name));
  const axis: uPlot.Axis = {
    stroke: color("--muted"),
    font: `12px ${css.fontFamily}`,
    labelFont: `12px ${css.fontFamily}`,
    grid: { stroke: color("--line"), width: 1 },
    ticks: { show: false },
  };
  const ticks = (_: uPlot, values: number[]) => values.map((value) => number(value));
  const xAxis: uPlot.Axis = {
    ...axis,
    space: 60,
    size: 26,
    ...(props.time ? { values: days, incrs: DAYS } : { values: ticks }),
  };
  if (props.xLabel !== undefined) Object.assign(xAxis, { label: props.xLabel, labelSize: 18 });
  const fixed = (range: readonly [number, number] | undefined) =>
    range === undefined ? {} : { range: [range[0], range[1]] as uPlot.Range.MinMax };
  const strokes = props.lines.map((line, index) => {
    const name = colorName(line, index);
    return color(name === "muted" ? "--line-strong" : `--series-${name}`);
  });
  const banded = props.lines.flatMap((line, index) => (hasBand(line) ? [strokes[index] ?? ""] : []));
  return {
    width: element.clientWidth,
    height: props.height ?? 170,
    legend: { show: false },
    padding: [8, props.time ? 24 : 8, 0, 0],
    scales: { x: { time: props.time ?? false, ...fixed(props.xRange) }, y: { ...fixed(props.yRange) } },
    cursor: {
      y: false,
      drag: { x: true, y: false },
      ...(props.syncKey === undefined ? {} : { sync: { key: props.syncKey } }),
    },
    axes: [xAxis, { ...axis, space: 34, size: 58, values: ticks }],
    series: [
      {},
      ...props.lines.map((line, index) => seriesOf(line, strokes[index] ?? "")),
      ...banded.flatMap(() => [BOUND, BOUND]),
    ],
    bands: banded.map((stroke, index) => {
      const high = props.lines.length + 1 + 2 * index;
      return { series: [high, high + 1], fill: stroke.replace(/^rgb\((.*)\)$/, "rgba($1, 0.16)") };
    }),
    hooks: { setCursor: [(self) => read(self.cursor.idx)] },
  };
}

/** Steps between marks of a time axis, in seconds: whole days, since marks name days. */
const DAYS = [1, 2, 7, 14, 28, 91, 182, 364].map((days) => days * 86_400);

function days(_: uPlot, seconds: number[]): string[] {
  return seconds.map((value) =>
    new Date(value * 1000).toLocaleDateString(locale(), { day: "numeric", month: "short" }),
  );
}

/** The edge of a band is not drawn. */
const BOUND: uPlot.Series = { width: 0, points: { show: false } };

function seriesOf(line: Line, stroke: string): uPlot.Series {
  const base: uPlot.Series = { stroke, spanGaps: true };
  switch (line.draw ?? "line") {
    case "dots":
      return { ...base, width: 0, paths: () => null, points: { show: true, size: 8, fill: stroke } };
    case "bars":
      return {
        ...base,
        width: 0,
        fill: stroke,
        points: { show: false },
        ...(uPlot.paths.bars ? { paths: uPlot.paths.bars({ size: [0.7, 60] }) } : {}),
      };
    case "dashed":
      return { ...base, width: 1.5, dash: [6, 5], points: { show: false } };
    case "line":
      return {
        ...base,
        width: line.color === "muted" ? 1 : 2,
        points: { show: (self) => line.color !== "muted" && self.data[0].length < FEW, size: 6 },
      };
  }
}

/** A canvas knows no `light-dark()`: let the browser turn the token into a plain color. */
function resolved(element: HTMLElement, value: string): string {
  const probe = document.createElement("span");
  probe.style.color = value;
  element.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}
