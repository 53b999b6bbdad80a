import { useEffect, useState } from 'react';
import { type Value, formatSize } from './transfer';

interface Props {
  value: Value;
  filename: string;
  onHide: () => void;
}

/** Shows a value: text as text, pictures as pictures, anything else only by its size. */
export function ValueView({ value, filename, onHide }: Props) {
  const url = useObjectURL(value.blob);
  return (
    <div className="value" data-testid="value" data-kind={value.kind}>
      {value.kind === 'text' && (
        <pre data-testid="value-text" tabIndex={0} aria-label="The value">
          {value.text}
        </pre>
      )}
      {value.kind === 'text' && value.cut && <p className="notice">Only the beginning is shown; save the value to see all of it.</p>}
      {value.kind === 'image' && url && <img data-testid="value-image" src={url} alt={filename || 'The value'} />}
      {value.kind === 'binary' && <p>Not text; save it to open it elsewhere.</p>}
      <p className="value-actions">
        <span data-testid="value-size">{formatSize(value.blob.size)}</span>
        {url && (
          <a href={url} download={filename || 'value'} data-testid="value-save">
            Save
          </a>
        )}
        <button type="button" className="link" data-testid="value-hide" onClick={onHide}>
          Hide
        </button>
      </p>
    </div>
  );
}

function useObjectURL(blob: Blob): string {
  const [url, setURL] = useState('');
  useEffect(() => {
    const made = URL.createObjectURL(blob);
    setURL(made);
    return () => URL.revokeObjectURL(made);
  }, [blob]);
  return url;
}
