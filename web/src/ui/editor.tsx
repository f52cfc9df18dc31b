// The PromQL editor. Until its code has come a plain text box stands in its place: nobody waits for it to type.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { PromqlEditor } from './promql-editor';

interface Props {
  label: string;
  value: string; // what it begins with, and what it is set to whenever this changes: the query that ran, not every key
  placeholder: string;
  onInput: (text: string) => void;
  onRun: () => void;
}

export function PromqlBox(props: Props) {
  const host = useRef<HTMLDivElement>(null);
  const plain = useRef<HTMLTextAreaElement>(null);
  const editor = useRef<PromqlEditor | null>(null);
  const now = useRef(props);
  now.current = props;
  const [ready, setReady] = useState(false);
  useEffect(() => {
    let gone = false;
    void import('./promql-editor').then(({ mountPromqlEditor }) => {
      if (gone || !host.current || !plain.current) return;
      const typing = document.activeElement === plain.current;
      editor.current = mountPromqlEditor(host.current, {
        value: plain.current.value, label: props.label, placeholder: props.placeholder,
        onInput: (text) => now.current.onInput(text), onRun: () => now.current.onRun(),
      });
      setReady(true);
      if (typing) editor.current.focus();
    }, () => undefined); // without it the plain box stays
    return () => {
      gone = true;
      editor.current?.destroy();
      editor.current = null;
    };
  }, []);
  useEffect(() => {
    if (editor.current) editor.current.setValue(props.value);
    else if (plain.current) plain.current.value = props.value;
  }, [props.value]);
  return (
    <div class="query">
      <div ref={host} class={ready ? 'input editor' : undefined} />
      {!ready && (
        <textarea ref={plain} class="input query-text mono" rows={1} spellcheck={false} autoCapitalize="off" autoComplete="off"
          aria-label={props.label} placeholder={props.placeholder} defaultValue={props.value}
          onInput={(e) => props.onInput(e.currentTarget.value)}
          onKeyDown={(e) => { if (e.key === 'Enter' && !e.shiftKey) { e.preventDefault(); props.onRun(); } }} />
      )}
    </div>
  );
}
