// The editor on the page: Ace in Streamlit's frame. SOURCES (Ace's own files) stands before this.

function ace() {
  if (!window.ace) {
    for (const source of SOURCES) {
      const script = document.createElement("script");
      script.textContent = source;
      document.head.append(script);
    }
  }
  return window.ace;
}

function opened(parentElement, data) {
  const place = parentElement.querySelector(".sql-editor");
  const editor = ace().edit(place, {
    mode: "ace/mode/sql",
    fontSize: 14,
    fontFamily: "monospace",
    minLines: 6,
    maxLines: 14,
    wrap: true,
    showPrintMargin: false,
    useWorker: false,
    enableBasicAutocompletion: true,
    enableLiveAutocompletion: true,
    enableKeyboardAccessibility: true,
    textInputAriaLabel: data.label,
  });
  // Enter makes a new line; only a proposal that was chosen with the arrows or Tab is taken.
  ace().require("ace/autocomplete").Autocomplete.for(editor).autoSelect = false;
  editor.session.setValue(data.text);
  return editor;
}

function catalog(completions) {
  const completer = {
    id: "catalog",
    getCompletions(_editor, _session, _position, _prefix, callback) {
      callback(null, completions);
    },
  };
  return [completer, ace().require("ace/ext/language_tools").keyWordCompleter];
}

// Streamlit calls this again whenever the page was run again: the editor must stay as it is,
// unless Python put another text into it.
const editors = new WeakMap();

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  const is_new = !editors.has(parentElement);
  if (is_new) {
    const editor = opened(parentElement, data);
    editors.set(parentElement, { editor, given: data.given, told: data.text });
  }
  const known = editors.get(parentElement);
  const { editor } = known;
  if (known.given !== data.given) {
    known.given = data.given;
    known.told = data.text;
    editor.session.setValue(data.text);
  }
  // Only what is new is set: setting anything closes the proposals that are open.
  const names = JSON.stringify(data.completions);
  if (known.names !== names) {
    known.names = names;
    editor.completers = catalog(data.completions);
  }
  if (known.is_dark !== data.is_dark) {
    known.is_dark = data.is_dark;
    editor.setTheme(data.is_dark ? "ace/theme/github_dark" : "ace/theme/github_light_default");
  }
  // Told once only: leaving the editor for another page must not bring this one back.
  known.tell = () => {
    clearTimeout(known.waiting);
    const text = editor.getValue();
    if (text !== known.told) setStateValue("text", (known.told = text));
  };
  known.run = () => setTriggerValue("run", editor.getValue());
  if (!is_new) return;
  editor.on("change", () => {
    clearTimeout(known.waiting);
    known.waiting = setTimeout(() => known.tell(), 250);
  });
  editor.on("blur", () => known.tell());
  editor.commands.addCommand({
    name: "run",
    bindKey: { win: "Ctrl-Enter", mac: "Command-Enter" },
    exec() {
      known.tell(); // before, not after: a later message would cut off the run this one starts
      known.run();
    },
  });
}
