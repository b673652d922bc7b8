-- Roles, the master's database and grants; run as superuser on every start.
-- Passwords are read by the server itself: they pass no shell and no argument.
SET client_min_messages = warning;
SET log_min_error_statement = panic;
SET log_statement = 'none';
SET log_min_duration_statement = -1;

SELECT format('CREATE ROLE %I', name)
FROM (VALUES ('saas_master'), ('saas_provisioner')) AS wanted (name)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec

SELECT format(
    'ALTER ROLE %I WITH LOGIN NOSUPERUSER %s NOREPLICATION NOBYPASSRLS PASSWORD %L',
    name, rights, trim(trailing E'\n' FROM pg_read_file('/run/saas/db/' || name))
)
FROM (VALUES
    ('saas_master', 'NOCREATEDB NOCREATEROLE'),
    ('saas_provisioner', 'CREATEDB CREATEROLE')
) AS wanted (name, rights)
\gexec

GRANT pg_use_reserved_connections TO saas_master, saas_provisioner;

SELECT 'CREATE DATABASE master OWNER saas_master TEMPLATE template0'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'master')
\gexec

-- Open to everybody unless revoked.
REVOKE ALL ON DATABASE postgres, template1, master FROM PUBLIC;
GRANT CONNECT ON DATABASE postgres TO saas_provisioner;

\connect template1
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
\connect postgres
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
\connect master
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
CREATE EXTENSION IF NOT EXISTS pg_trgm;
