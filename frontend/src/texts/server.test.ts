import { describe, expect, it } from "vitest";
import { de } from "./de";
import { en } from "./en";

describe("what the server says", () => {
  it("is said in German, with its names and numbers", () => {
    expect(de.server.said("This slug is taken.")).toBe("Diese Kennung ist vergeben.");
    expect(de.server.said("must be from 2 to 9")).toBe("muss von 2 bis 9 sein");
    expect(de.server.said("'abc' is not a response of this task")).toBe(
      "„abc“ ist keine Antwort dieser Aufgabe",
    );
  });

  it("stays as it is where German has no sentence for it, and in English", () => {
    expect(de.server.said("Something new.")).toBe("Something new.");
    expect(en.server.said("This slug is taken.")).toBe("This slug is taken.");
  });
});
