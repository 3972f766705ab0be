// Starts the dashboard.
import './style/base.css';
import './style/head.css';
import './style/channels.css';
import './style/zaps.css';
import './style/rest.css';

import { render } from 'preact';

import { App } from './parts/app.jsx';
import { follow } from './live/connection.js';
import { theme } from './live/theme.js';
import { tellTitle } from './live/title.js';

theme.apply();
tellTitle();
render(<App />, document.getElementById('app'));
follow();
