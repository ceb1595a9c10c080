import { describe, expect, it } from "vitest";
import type { AuditChainView } from "../../api/types";
import { chainTone } from "./chain";

const view: AuditChainView = {
  position: 7,
  checkpoint_position: 7,
  checkpoint_at: null,
  key_id: "00",
  sinks: [],
  problems: [],
};

describe("chainTone", () => {
  it("is calm when everything is signed", () => expect(chainTone(view)).toBe("ok"));
  it("waits for the next signature", () => expect(chainTone({ ...view, position: 8 })).toBe("waiting"));
  it("warns when something is known to be wrong", () =>
    expect(chainTone({ ...view, problems: ["The history was found changed."] })).toBe("danger"));
});
