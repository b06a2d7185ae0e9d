/** Shortcuts on every keyboard layout. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { board, recorder, send } from "./input.mjs";
import { Keyboard } from "../../../canvas/web/static/ui/keyboard.js";

const ACTIONS = ["pan", "zoom", "fit", "moveCell", "penDown", "penUp", "grab", "escape", "undo", "redo"];
const KEYS = [..."123456789beihxcglp[]?"];
const actions = recorder([...ACTIONS, ...KEYS.map((key) => `key ${key}`), "hasCell"]);
actions.shortcuts = Object.fromEntries(KEYS.map((key) => [key, actions[`key ${key}`]]));
new Keyboard(board, actions);
const body = Object.assign(new EventTarget(), { closest: () => null });
document.body = body;

beforeEach(() => (actions.calls.length = 0));

/** What a key press does: the names of the actions. */
function press(key, code, held = "") {
  const modifiers = { ctrlKey: /ctrl|altgr/, altKey: /alt/, shiftKey: /shift/, metaKey: /meta/ };
  const fields = Object.fromEntries(Object.entries(modifiers).map(([name, word]) => [name, word.test(held)]));
  const getModifierState = (name) => name === "AltGraph" && held.includes("altgr");
  send("keydown", { key, code, repeat: false, getModifierState, ...fields }, body);
  send("keyup", { key, code, getModifierState, ...fields }, body);
  return actions.calls.map(([name]) => name).filter((name) => name !== "grab").join();
}

const LAYOUTS = [
  // layout, key, code, held, action
  ["US", "z", "KeyZ", "ctrl", "undo"],
  ["US", "z", "KeyZ", "meta", "undo"],
  ["US", "Z", "KeyZ", "ctrl shift", "redo"],
  ["US", "y", "KeyY", "ctrl", "redo"],
  ["US", "E", "KeyE", "", "key e"], // caps lock
  ["US", "?", "Slash", "shift", "key ?"],
  ["US", "!", "Digit1", "shift", ""],
  ["US", "2", "Numpad2", "", "key 2"],
  ["US", "End", "Numpad1", "", ""],
  ["US", "+", "NumpadAdd", "", "zoom"],
  ["US", "_", "Minus", "shift", "zoom"],
  ["US", "0", "Digit0", "", "fit"],
  ["US", "F5", "F5", "", ""],
  ["US", "[", "BracketLeft", "meta", ""], // the browser's Back on a Mac
  ["US", "e", "KeyE", "ctrl", ""],
  ["US", "e", "KeyE", "alt", ""],
  ["US international", "Dead", "Quote", "", ""],
  ["Russian", "я", "KeyZ", "ctrl", "undo"],
  ["Russian", "Я", "KeyZ", "ctrl shift", "redo"],
  ["Russian", "н", "KeyY", "ctrl", "redo"],
  ["Russian", "у", "KeyE", "", "key e"],
  ["Russian", "х", "BracketLeft", "", "key ["],
  ["Russian", "ъ", "BracketRight", "", "key ]"],
  ["Russian", "№", "Digit3", "shift", ""],
  ["Russian", "ц", "KeyW", "", "pan"],
  ["Greek", "ζ", "KeyZ", "ctrl", "undo"],
  ["Greek", "ε", "KeyE", "", "key e"],
  ["Hebrew", "ז", "KeyZ", "ctrl", "undo"],
  ["Hebrew", "ק", "KeyE", "", "key e"],
  ["Arabic", "ئ", "KeyZ", "ctrl", "undo"],
  ["Arabic", "؟", "Slash", "shift", "key ?"],
  ["Arabic", "٢", "Digit2", "", "key 2"],
  ["Persian", "۲", "Digit2", "", "key 2"],
  ["Thai", "ผ", "KeyZ", "ctrl", "undo"],
  ["Thai", "ๅ", "Digit1", "", "key 1"],
  ["Japanese input method", "Process", "KeyE", "", "key e"],
  ["Japanese input method", "Process", "Digit0", "", "fit"],
  ["Chinese input method", "Unidentified", "KeyG", "", "key g"],
  ["German", "y", "KeyZ", "ctrl", "redo"],
  ["German", "z", "KeyY", "ctrl", "undo"],
  ["German", "[", "Digit8", "altgr alt", "key ["], // Windows says Ctrl and Alt
  ["German", "[", "Digit8", "altgr", "key ["],
  ["German, Mac", "[", "Digit5", "alt", "key ["],
  ["Polish", "ż", "KeyZ", "altgr alt", ""],
  ["French", "z", "KeyW", "ctrl", "undo"],
  ["French", "w", "KeyZ", "ctrl", ""],
  ["French", "é", "Digit2", "", "key 2"],
  ["French", '"', "Digit3", "", "key 3"],
  ["French", "2", "Digit2", "shift", "key 2"],
  ["French", "à", "Digit0", "", "fit"],
  ["French", "?", "KeyM", "shift", "key ?"],
  ["French", "z", "KeyW", "", "pan"],
  ["French", "q", "KeyA", "", "pan"],
  ["French", "w", "KeyZ", "", ""],
  ["Czech", "ě", "Digit2", "", "key 2"],
  ["Czech", "+", "Digit1", "", "zoom"],
  ["Turkish", "ı", "KeyI", "", "key i"],
  ["Dvorak", ";", "KeyZ", "ctrl", ""],
  ["Dvorak", "z", "Slash", "ctrl", "undo"],
  ["Dvorak", "e", "KeyD", "", "key e"],
  ["Dvorak", "n", "KeyL", "", ""],
  ["no code", "e", "", "", "key e"],
];

for (const [layout, key, code, held, action] of LAYOUTS) {
  test(`${layout}: ${held} ${key} (${code}) is ${action || "nothing of ours"}`, () => {
    assert.equal(press(key, code, held), action);
  });
}

test("the pen lifts with the key that put it down, on every layout", () => {
  for (const [key, code] of [[" ", "Space"], ["Enter", "Enter"], ["Process", "Space"], ["\u3000", "Space"]]) {
    actions.calls.length = 0;
    const has = { key, code, repeat: false };
    actions.hasCell = () => true;
    send("keydown", has, board);
    send("keydown", { ...has, repeat: true }, board);
    send("keyup", has, board);
    assert.deepEqual(actions.calls.map(([name]) => name).filter((name) => name !== "grab"), ["penDown", "penUp"], key);
  }
});
