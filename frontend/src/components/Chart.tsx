/** One line over steps. uPlot draws on a canvas, so colors and fonts are read from the page's styles. */
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { number } from "./format";

const HEIGHT = 170;
/** Below this many values each one gets a dot; a single value has no line. */
const FEW = 25;

export function Chart(props: { steps: number[]; values: number[]; label: string; syncKey: string }) {
  const { steps, values, label, syncKey } = props;
  const holder = useRef<HTMLDivElement>(null);
  const readout = useRef<HTMLSpanElement>(null);
  const plot = useRef<uPlot | null>(null);
  const data = useRef<uPlot.AlignedData>([[], []]);

  useEffect(() => {
    const element = holder.current;
    if (element === null) return;
    const draw = () => {
      plot.current?.destroy();
      plot.current = new uPlot(options(element, syncKey, readout), data.current, element);
    };
    draw();
    const resize = new ResizeObserver(() =>
      plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }),
    );
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
  }, [syncKey]);

  useEffect(() => {
    data.current = [steps, values];
    plot.current?.setData(data.current);
  }, [steps, values]);

  const last = values.at(-1);
  const summary = `${label}: ${number(values[0])} → ${number(last)}`;
  return (
    <figure className="chart">
      <figcaption>
        <span className="chart-name">{label}</span>
        <span ref={readout} className="chart-value">
          {number(last)}
        </span>
      </figcaption>
      <div ref={holder} role="img" aria-label={summary} />
    </figure>
  );
}

function options(
  element: HTMLElement,
  syncKey: string,
  readout: React.RefObject<HTMLSpanElement | null>,
): uPlot.Options {
  const css = getComputedStyle(element);
  const color = (name: string) => resolved(element, css.getPropertyValue(name));
  const axis: uPlot.Axis = {
    stroke: color("--muted"),
    font: `12px ${css.fontFamily}`,
    grid: { stroke: color("--line"), width: 1 },
    ticks: { show: false },
  };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    padding: [8, 8, 0, 0],
    scales: { x: { time: false } },
    cursor: { sync: { key: syncKey }, y: false, drag: { x: true, y: false } },
    axes: [
      { ...axis, space: 60, size: 26 },
      { ...axis, space: 34, size: 58, values: (_, ticks) => ticks.map((tick) => number(tick)) },
    ],
    series: [
      {},
      { stroke: color("--accent"), width: 2, points: { show: (self) => self.data[0].length < FEW, size: 6 } },
    ],
    hooks: {
      setCursor: [
        (self) => {
          const index = self.cursor.idx;
          const shown = self.data[1] ?? [];
          const value = index === null || index === undefined ? shown.at(-1) : shown[index];
          if (readout.current) readout.current.textContent = number(value);
        },
      ],
    },
  };
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
