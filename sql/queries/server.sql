-- name: ping
SELECT 1;

-- name: server_version
SELECT current_setting('server_version');
