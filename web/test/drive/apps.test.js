import assert from 'node:assert/strict';
import test from 'node:test';

import { appName, openLink, setUpLinks } from '../../src/drive/apps.js';

test('an app is known by what it reports', () => {
  assert.equal(appName('OwnTracks'), 'OwnTracks');
  assert.equal(appName('Overland/1.3 iOS'), 'Overland');
  assert.equal(appName('Homemade/2'), 'Homemade');
  assert.equal(appName(null), '');
});

test('an app opens by its scheme; on Android by its package', () => {
  assert.equal(openLink('OwnTracks', 'iPhone'), 'owntracks:///');
  assert.match(openLink('OwnTracks', 'Linux; Android 15') ?? '', /^intent:.*package=org\.owntracks\.android;end$/);
  assert.equal(openLink('Homemade', 'iPhone'), null);
});

test('only apps of this phone’s system are offered', () => {
  const setup = { owntracks: { setup_url: 'owntracks:///x' }, overland: { setup_url: 'overland://x' }, osmand: {}, mqtt: null };
  assert.deepEqual(setUpLinks(setup, 'Android').map(({ name }) => name), ['OwnTracks']);
  assert.deepEqual(setUpLinks(setup, 'iPhone').map(({ name }) => name), ['OwnTracks', 'Overland']);
  assert.deepEqual(setUpLinks(undefined, 'iPhone'), []);
});
