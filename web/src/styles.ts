// GraphiQL's sheets one by one: its collected sheet also brings web fonts and Monaco's styles, which
// come with Monaco's own modules.
import '@graphiql/react/style.css';
import '@graphiql/plugin-doc-explorer/style.css';
import '@graphiql/plugin-history/style.css';
import 'graphiql/graphiql.css';
import './page.css';
import './vault.css';
