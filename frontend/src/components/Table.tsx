import type { ReactNode } from "react";
import { spelledOut } from "./invisible";

/** Rows of one name and several numbers. */
export function Table({ heads, rows }: { heads: string[]; rows: ReactNode[][] }) {
  const kind = (column: number) => (column === 0 ? undefined : "num");
  return (
    <div className="scroll-x">
      <table className="table">
        <thead>
          <tr>
            {heads.map((head, column) => (
              <th key={head} scope="col" className={kind(column)}>
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <tr key={index}>
              {row.map((cell, column) =>
                column === 0 ? (
                  <th key={column} scope="row">
                    {shown(cell)}
                  </th>
                ) : (
                  <td key={column} className="num">
                    {shown(cell)}
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Names are people's own words. */
function shown(cell: ReactNode): ReactNode {
  return typeof cell === "string" ? spelledOut(cell) : cell;
}
