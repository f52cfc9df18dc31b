// CodeMirror with Prometheus' PromQL language: highlighting, completion from the server, linting while one types.
// A chunk of its own, loaded by editor.tsx.
//
// The editor lives in a shadow root: CodeMirror adds its styles at run time, which the page's content security policy
// forbids in the document itself; a shadow root takes constructed style sheets.
import {
  acceptCompletion, autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, completionStatus, moveCompletionSelection,
  selectedCompletionIndex, startCompletion,
} from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, insertNewlineAndIndent } from '@codemirror/commands';
import { HighlightStyle, bracketMatching, syntaxHighlighting } from '@codemirror/language';
import { lintKeymap } from '@codemirror/lint';
import { EditorState, Prec } from '@codemirror/state';
import { EditorView, drawSelection, keymap, placeholder, tooltips, type Command } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { PromQLExtension, newCompleteStrategy } from '@prometheus-io/codemirror-promql';

export interface PromqlEditor {
  setValue: (text: string) => void;
  focus: () => void;
  destroy: () => void;
}

export interface PromqlEditorOptions {
  value: string;
  label: string;
  placeholder: string;
  onInput: (text: string) => void;
  onRun: () => void;
}

const highlight = HighlightStyle.define([
  { tag: tags.keyword, color: 'var(--code-keyword)' },
  { tag: tags.operatorKeyword, color: 'var(--code-keyword)' },
  { tag: tags.modifier, color: 'var(--code-keyword)' },
  { tag: tags.function(tags.variableName), color: 'var(--code-function)' },
  { tag: tags.labelName, color: 'var(--code-label)' },
  { tag: tags.string, color: 'var(--code-string)' },
  { tag: tags.number, color: 'var(--code-number)' },
  { tag: tags.comment, color: 'var(--text-3)', fontStyle: 'italic' },
  { tag: tags.invalid, color: 'var(--bad)' },
]);

const look = EditorView.theme({
  '&': { fontSize: '13px', color: 'var(--text-1)' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '20px', maxHeight: '240px' },
  '.cm-content': { padding: '9px 0', caretColor: 'var(--text-1)' },
  '.cm-line': { padding: '0 12px' },
  '.cm-placeholder': { color: 'var(--text-3)' },
  '.cm-cursor': { borderLeftColor: 'var(--text-1)' },
  '.cm-matchingBracket, &.cm-focused .cm-matchingBracket': { backgroundColor: 'var(--accent-soft)', outline: '1px solid var(--accent)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': { background: 'var(--accent-soft)' },
  '.cm-tooltip': { background: 'var(--raised)', color: 'var(--text-1)', border: '1px solid var(--line-strong)', borderRadius: '6px', boxShadow: 'var(--shadow)' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul': { fontFamily: 'var(--mono)', fontSize: '12.5px', maxHeight: '320px', padding: '4px' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li': { padding: '3px 8px', borderRadius: '4px', lineHeight: '18px' },
  '.cm-tooltip-autocomplete ul li[aria-selected]': { background: 'var(--hover)', color: 'var(--text-1)' },
  '.cm-completionMatchedText': { textDecoration: 'none', color: 'var(--accent-text)', fontWeight: '600' },
  '.cm-completionDetail': { color: 'var(--text-3)', fontStyle: 'normal', marginLeft: '12px', fontFamily: 'var(--sans)', fontSize: '12px' },
  '.cm-completionInfo': { padding: '8px 10px', fontFamily: 'var(--sans)', fontSize: '12px', maxWidth: '380px', whiteSpace: 'pre-wrap' },
  '.cm-completionIcon': { color: 'var(--text-3)', opacity: '1' },
  '.cm-diagnostic': { fontFamily: 'var(--sans)', fontSize: '12px', padding: '6px 10px', borderLeft: '3px solid var(--bad)' },
});

/** The document's selection, of which the editor may not have heard yet. Browsers differ in how they show one that is in
 * a shadow root. */
function selected(view: EditorView): [number, number] {
  const { from, to } = view.state.selection.main;
  const s = (view.root as unknown as Partial<Document>).getSelection?.();
  if (!s?.anchorNode || !s.focusNode || !view.contentDOM.contains(s.anchorNode) || !view.contentDOM.contains(s.focusNode)) return [from, to];
  const a = view.posAtDOM(s.anchorNode, s.anchorOffset), b = view.posAtDOM(s.focusNode, s.focusOffset);
  return [Math.min(a, b), Math.max(a, b)];
}

/** Text that replaces a selection: done by the browser it would keep the old text's colour as an inline style, which the
 * page's content security policy forbids. Brackets and quotes stay with closeBrackets, which puts them around. */
const replaceSelection = EditorView.domEventHandlers({
  beforeinput: (e, view) => {
    if (e.inputType !== 'insertText' || !e.data || /^[([{"'`]$/.test(e.data) || view.composing) return false;
    const [from, to] = selected(view);
    if (from === to) return false;
    view.dispatch({ changes: { from, to, insert: e.data }, selection: { anchor: from + e.data.length }, userEvent: 'input.type', scrollIntoView: true });
    e.preventDefault();
    return true;
  },
});

/** While suggestions are on their way Tab waits for them: it must not take the focus out of a half-written word. */
const takeFirst: Command = (view) => {
  const status = completionStatus(view.state);
  return status === 'pending' || (status === 'active' && (selectedCompletionIndex(view.state) !== null || moveCompletionSelection(true)(view)) && acceptCompletion(view));
};

/** Suggests while a word is being written; operators behind a finished expression only on Ctrl-Space. */
function language(): PromQLExtension {
  const all = newCompleteStrategy({
    remote: { url: '', httpMethod: 'GET', lookbackInterval: 12 * 3600 * 1000, cache: { maxAge: 60_000 } },
    maxMetricsMetadata: 10_000,
  });
  return new PromQLExtension().activateCompletion(true).activateLinter(true).setComplete({
    completeStrategy: {
      promQL: (context) => (context.explicit || context.matchBefore(/[\w:.{,("'`=~[]$/) ? all.promQL(context) : null),
      destroy: () => all.destroy?.(),
    },
  });
}

export function mountPromqlEditor(host: HTMLElement, o: PromqlEditorOptions): PromqlEditor {
  const root = host.shadowRoot ?? host.attachShadow({ mode: 'open', delegatesFocus: true });
  root.replaceChildren();
  const parent = document.createElement('div');
  root.append(parent);
  const promql = language();
  const run = () => (o.onRun(), true);
  const view = new EditorView({
    parent, root,
    state: EditorState.create({
      doc: o.value,
      extensions: [
        look, replaceSelection, syntaxHighlighting(highlight), history(), bracketMatching(), closeBrackets(), drawSelection(), EditorView.lineWrapping,
        autocompletion({ selectOnOpen: false, interactionDelay: 0 }), tooltips({ parent }), promql.asExtension(), placeholder(o.placeholder),
        EditorView.contentAttributes.of({ 'aria-label': o.label, spellcheck: 'false', autocapitalize: 'off' }),
        // Enter runs the query unless a suggestion was chosen by the arrow keys.
        keymap.of([...completionKeymap, { key: 'Tab', run: takeFirst }, ...closeBracketsKeymap]),
        Prec.low(keymap.of([
          { key: 'Enter', run },
          { key: 'Mod-Enter', run },
          { key: 'Shift-Enter', run: insertNewlineAndIndent },
          { key: 'Ctrl-Space', run: startCompletion },
        ])),
        Prec.lowest(keymap.of([...historyKeymap, ...lintKeymap, ...defaultKeymap])),
        EditorView.updateListener.of((u) => u.docChanged && o.onInput(u.state.doc.toString())),
      ],
    }),
  });
  return {
    setValue: (text) => {
      if (text !== view.state.doc.toString()) view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text }, selection: { anchor: text.length } });
    },
    focus: () => view.focus(),
    destroy: () => {
      promql.destroy();
      view.destroy();
    },
  };
}
