// The two tabs, with the keys that a tab list has. #admin in the address opens the second one.
import {byId} from './dom.js';

// opened(name) is called when a tab is shown.
export function startTabs(opened) {
  const tabs = [...document.querySelectorAll('[role=tab]')];

  const open = tab => {
    for (const each of tabs) {
      const chosen = each === tab;
      each.setAttribute('aria-selected', chosen);
      each.tabIndex = chosen ? 0 : -1;
      byId(each.getAttribute('aria-controls')).hidden = !chosen;
    }
    opened(tab.getAttribute('aria-controls'));
  };
  const fromAddress = () => open(location.hash === '#admin' ? tabs[1] : tabs[0]);

  for (const [i, tab] of tabs.entries()) {
    tab.addEventListener('click', () => {
      history.replaceState(null, '', i === 1 ? '#admin' : location.pathname);
      open(tab);
    });
    tab.addEventListener('keydown', event => {
      const to = {ArrowLeft: i - 1, ArrowRight: i + 1, Home: 0, End: tabs.length - 1}[event.key];
      if (to === undefined) return;
      event.preventDefault();
      const next = tabs[(to + tabs.length) % tabs.length];
      next.focus();
      next.click();
    });
  }
  addEventListener('hashchange', fromAddress);
  fromAddress();
}
