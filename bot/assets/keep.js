// What the browser keeps for us, or memory where it keeps nothing (a strict frame, a full disk).

/** Wrap `localStorage` or `sessionStorage`, named so; values are JSON. */
export function keeper(name) {
  const memory = new Map();
  const storage = () => {
    try {
      return window[name];
    } catch {
      return null; // reading the property alone is an error where storage is not allowed
    }
  };
  return {
    get(key, otherwise = null) {
      try {
        const kept = storage()?.getItem(`wenqu.${key}`);
        return kept === null || kept === undefined ? (memory.get(key) ?? otherwise) : JSON.parse(kept);
      } catch {
        return memory.get(key) ?? otherwise;
      }
    },
    set(key, value) {
      memory.set(key, value);
      try {
        storage()?.setItem(`wenqu.${key}`, JSON.stringify(value));
      } catch {
        // memory has it
      }
    },
  };
}
