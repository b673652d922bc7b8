-- a copy of the master never touches the customers' servers
UPDATE saas_operation SET state = 'cancelled' WHERE state IN ('pending', 'running');
UPDATE queue_job SET state = 'cancelled'
 WHERE state IN ('wait_dependencies', 'pending', 'enqueued', 'started');
UPDATE saas_server SET active = false, draining = true;
UPDATE saas_proxy SET active = false, directory = '/nonexistent';
UPDATE saas_database_server
   SET active = false, host = 'neutralized.invalid', password_sealed = NULL;
UPDATE saas_tenant SET data_key_sealed = NULL;
UPDATE ir_cron SET active = false
 WHERE id IN (SELECT res_id FROM ir_model_data
               WHERE module = 'saas' AND model = 'ir.cron');
