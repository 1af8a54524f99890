// Where a text stops being JSON, which browsers tell in many ways or not at all. Source: RFC 8259.

const SCALAR = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const SPACE = /[ \t\n\r]*/y;

/** What is wrong with a text of JSON, with line and column; empty where nothing is. */
export function fault(text) {
  try {
    JSON.parse(text);
    return "";
  } catch (error) {
    const what = error.message.replace(/^JSON\.parse: /, "").replace(/,? (?:in JSON )?at (?:position|line) \d+.*$/s, "").replace(/, ".*" is not valid JSON$/s, "");
    const before = text.slice(0, end(text)).split("\n");
    return `${what} (line ${before.length} column ${before.at(-1).length + 1})`;
  }
}

/** The place of the first character that no JSON goes on with. */
function end(text) {
  let at = 0;
  const take = (pattern) => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found) at = pattern.lastIndex;
    return found !== null;
  };
  const sign = (wanted) => {
    take(SPACE);
    if (text[at] !== wanted) return false;
    at++;
    return true;
  };
  const list = (close, item) => {
    if (sign(close)) return true;
    do if (!item()) return false; while (sign(","));
    return sign(close);
  };
  const value = () => {
    take(SPACE);
    if (sign("[")) return list("]", value);
    if (sign("{")) return list("}", () => { take(SPACE); return text[at] === '"' && take(SCALAR) && sign(":") && value(); });
    return take(SCALAR);
  };
  if (value()) take(SPACE);
  return at;
}
