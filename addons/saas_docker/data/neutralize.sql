-- a copy of the master never reaches the customers' engines
UPDATE saas_server SET docker_url = 'unix:///neutralized', docker_key_sealed = NULL;
UPDATE saas_proxy SET docker_container = NULL;
