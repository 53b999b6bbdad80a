import './workers';
import './styles';
import { createRoot } from 'react-dom/client';
import { App } from './app';
import { readConfig } from './config';

createRoot(document.getElementById('root')!).render(<App config={readConfig(document)} />);
