/** Deutsche Mehrzahl und Ordnungszahlen. */

export function ordinal(n: number): string {
  return `${n}.`;
}

export function counted(n: number, one: string, many: string): string {
  return `${n.toLocaleString("de")} ${n === 1 ? one : many}`;
}
