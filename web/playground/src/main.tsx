import './workers';
import './styles';
import { createRoot } from 'react-dom/client';
import { App } from './app';
import { readConfig } from './config';
import { onForget } from './fresh';

const root = createRoot(document.getElementById('root')!);
root.render(<App config={readConfig(document)} />);
onForget(() => root.unmount());
