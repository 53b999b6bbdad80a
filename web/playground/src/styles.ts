// GraphiQL's style sheets one by one: its collected sheet also has web fonts, and Monaco's styles, which
// Monaco's own modules bring.
import '@graphiql/react/style.css';
import '@graphiql/plugin-doc-explorer/style.css';
import '@graphiql/plugin-history/style.css';
import 'graphiql/graphiql.css';
import './page.css';
import './vault.css';
