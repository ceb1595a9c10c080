import { expect, test } from "vitest";
import {
  describeArguments,
  isOver,
  isWaiting,
  KIND_NAMES,
  KINDS,
  kindLabel,
  standing,
  toArguments,
} from "./commands";

test("arguments are numbers where the kind wants them, and empty ones are left out", () => {
  expect(toArguments("kill_process", { pid: "77", key: " " })).toEqual({ pid: 77 });
  expect(toArguments("run_script", { script: "echo a\n", timeout_seconds: "5" })).toEqual({
    script: "echo a\n",
    timeout_seconds: 5,
  });
  expect(toArguments("list_processes", { pid: "1" })).toEqual({});
});

test("what waits for a second person says so", () => {
  expect(standing({ state: "pending", dangerous: true }).word).toBe("Needs approval");
  expect(standing({ state: "pending", dangerous: false }).word).toBe("Pending");
});

test("every kind has words, and an unknown one is told as it is", () => {
  for (const kind of KIND_NAMES) expect(KINDS[kind].label).not.toBe("");
  expect(kindLabel("update_agent")).toBe("update_agent");
  expect(describeArguments({ path: "/srv", pid: 7 })).toEqual(["path: /srv", "pid: 7"]);
});

test("a command is over, or can be taken back, or is on its way", () => {
  expect([isOver("failed"), isOver("sent"), isWaiting("approved"), isWaiting("sent")]).toEqual([
    true,
    false,
    true,
    false,
  ]);
});
