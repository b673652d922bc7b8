-- The master's role and database; run as superuser on every start of the stack's server.
-- Passwords are read by the server itself: they pass no shell and no argument.
SET client_min_messages = warning;
SET log_min_error_statement = panic;
SET log_statement = 'none';
SET log_min_duration_statement = -1;

SELECT 'CREATE ROLE saas_master'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'saas_master')
\gexec

SELECT format(
    'ALTER ROLE saas_master WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE'
    ' NOREPLICATION NOBYPASSRLS PASSWORD %L',
    trim(trailing E'\n' FROM pg_read_file('/run/saas/db/saas_master'))
)
\gexec

GRANT pg_use_reserved_connections TO saas_master;

SELECT 'CREATE DATABASE master OWNER saas_master TEMPLATE template0'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'master')
\gexec

-- Open to everybody unless revoked.
REVOKE ALL ON DATABASE master FROM PUBLIC;

\connect master
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
CREATE EXTENSION IF NOT EXISTS pg_trgm;
