-- The role that makes databases, and grants; run as superuser on every start.
-- Passwords are read by the server itself: they pass no shell and no argument.
SET client_min_messages = warning;
SET log_min_error_statement = panic;
SET log_statement = 'none';
SET log_min_duration_statement = -1;

SELECT 'CREATE ROLE saas_provisioner'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'saas_provisioner')
\gexec

SELECT format(
    'ALTER ROLE saas_provisioner WITH LOGIN NOSUPERUSER CREATEDB CREATEROLE'
    ' NOREPLICATION NOBYPASSRLS PASSWORD %L',
    trim(trailing E'\n' FROM pg_read_file('/run/saas/db/saas_provisioner'))
)
\gexec

GRANT pg_use_reserved_connections TO saas_provisioner;

-- Open to everybody unless revoked.
REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC;
GRANT CONNECT ON DATABASE postgres TO saas_provisioner;

\connect template1
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
\connect postgres
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
