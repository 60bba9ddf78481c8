"""Every word on the pages, in English, Spanish and Portuguese."""

from __future__ import annotations

from collections.abc import Callable

LANGUAGES = {"en": "English", "es": "Español", "pt": "Português"}
#: `say("key", name=value)`: the sentence in the page's language.
Say = Callable[..., str]

# AWS's own words (stream, shard, delivery stream, work group) stay as they are in AWS's consoles.
WORDS: dict[str, tuple[str, str, str]] = {
    "overview": ("Overview", "Resumen", "Visão geral"),
    "stream": ("Stream", "Stream", "Stream"),
    "lake": ("Lake", "Lago de datos", "Data lake"),
    "sql": ("SQL console", "Consola SQL", "Console SQL"),
    "analytics": ("Analytics", "Analítica", "Análises"),
    "alarms": ("Alarms and messages", "Alarmas y mensajes", "Alarmes e mensagens"),
    "proof": ("Proof", "Prueba", "Prova"),
    "language": ("Language", "Idioma", "Idioma"),
    "engine_down": (
        "The engine does not answer at {url}. Start it with `riacho up`; this page goes on by itself.",
        "El motor no responde en {url}. Inícielo con `riacho up`; esta página sigue sola.",
        "O motor não responde em {url}. Inicie-o com `riacho up`; esta página continua sozinha.",
    ),
    "refused": ("AWS refused: {message}", "AWS rechazó: {message}", "A AWS recusou: {message}"),
    "not_readable": (
        "Not everything could be read: {problems}",
        "No se pudo leer todo: {problems}",
        "Nem tudo pôde ser lido: {problems}",
    ),
    "updated": ("Updated {time} UTC", "Actualizado {time} UTC", "Atualizado {time} UTC"),
    "nothing_flows": (
        "Nothing is here yet. Make a stream and send events: "
        "`riacho produce --dataset ecommerce --create-shards 2`",
        "Aún no hay nada. Cree un stream y envíe eventos: "
        "`riacho produce --dataset ecommerce --create-shards 2`",
        "Ainda não há nada. Crie um stream e envie eventos: "
        "`riacho produce --dataset ecommerce --create-shards 2`",
    ),
    "flow_help": (
        "Drawn from what exists. Red: not ready, in alarm, or more than five minutes behind.",
        "Dibujado a partir de lo que existe. Rojo: no listo, en alarma o con más de cinco minutos de atraso.",
        "Desenhado a partir do que existe. Vermelho: não pronto, em alarme ou com mais de cinco minutos de atraso.",
    ),
    "streams": ("Streams", "Streams", "Streams"),
    "records_per_second": ("Records/s", "Registros/s", "Registros/s"),
    "delivery_streams": ("Delivery streams", "Delivery streams", "Delivery streams"),
    "functions": ("Functions", "Funciones", "Funções"),
    "tables": ("Tables", "Tablas", "Tabelas"),
    "in_alarm": ("In alarm", "En alarma", "Em alarme"),
    "no_streams": (
        "No streams yet. `riacho produce --dataset ecommerce --create-shards 4` makes one and fills it.",
        "Aún no hay streams. `riacho produce --dataset ecommerce --create-shards 4` crea uno y lo llena.",
        "Ainda não há streams. `riacho produce --dataset ecommerce --create-shards 4` cria um e o enche.",
    ),
    "unknown_stream": (
        "There is no stream called {name}; choose another one.",
        "No hay ningún stream llamado {name}; elija otro.",
        "Não há nenhum stream chamado {name}; escolha outro.",
    ),
    "open_shards": ("Open shards", "Shards abiertos", "Shards abertos"),
    "closed_shards": ("Closed shards", "Shards cerrados", "Shards fechados"),
    "open": ("open", "abierto", "aberto"),
    "closed": ("closed", "cerrado", "fechado"),
    "retention": ("Retention", "Retención", "Retenção"),
    "hours": ("{count} h", "{count} h", "{count} h"),
    "mode": ("Mode", "Modo", "Modo"),
    "shard_map": (
        "Shards over the hash keys",
        "Shards sobre las claves hash",
        "Shards sobre as chaves hash",
    ),
    "shard_map_help": (
        "Each bar is a shard's share of the hash keys; below it are the shards that a split or merge made of it.",
        "Cada barra es la parte de las claves hash de un shard; debajo están los shards que surgieron al dividirlo o unirlo.",
        "Cada barra é a parte das chaves hash de um shard; abaixo estão os shards que surgiram ao dividi-lo ou uni-lo.",
    ),
    "traffic": ("Traffic", "Tráfico", "Tráfego"),
    "per_minute": ("per minute", "por minuto", "por minuto"),
    "no_traffic": (
        "No records in the last 15 minutes.",
        "Sin registros en los últimos 15 minutos.",
        "Sem registros nos últimos 15 minutos.",
    ),
    "throttled": ("Refused writes", "Escrituras rechazadas", "Escritas recusadas"),
    "iterator_age": ("Iterator age (s)", "Edad del iterador (s)", "Idade do iterador (s)"),
    "tail": ("Newest records", "Registros más recientes", "Registros mais recentes"),
    "tail_empty": (
        "Nothing arrived in the last minute.",
        "No llegó nada en el último minuto.",
        "Nada chegou no último minuto.",
    ),
    "follow": ("Follow", "Seguir", "Acompanhar"),
    "change": ("Change the stream", "Cambiar el stream", "Alterar o stream"),
    "split": ("Split", "Dividir", "Dividir"),
    "merge": ("Merge", "Unir", "Unir"),
    "shard": ("Shard", "Shard", "Shard"),
    "shard_pair": ("Two neighbours", "Dos vecinos", "Dois vizinhos"),
    "put": ("Put", "Enviar", "Enviar"),
    "partition_key": ("Partition key", "Clave de partición", "Chave de partição"),
    "data": ("Data", "Datos", "Dados"),
    "put_done": (
        "Record {sequence} is in {shard}.",
        "El registro {sequence} está en {shard}.",
        "O registro {sequence} está em {shard}.",
    ),
    "asked": (
        "Done: the stream is updating.",
        "Hecho: el stream se está actualizando.",
        "Feito: o stream está sendo atualizado.",
    ),
    "leases": ("Leases", "Leases", "Leases"),
    "no_leases": (
        "No worker keeps leases yet: `riacho consume` starts one.",
        "Ningún worker tiene leases aún: `riacho consume` inicia uno.",
        "Nenhum worker tem leases ainda: `riacho consume` inicia um.",
    ),
    "nobody": ("nobody", "nadie", "ninguém"),
    "bucket": ("Bucket", "Bucket", "Bucket"),
    "objects": ("Objects", "Objetos", "Objetos"),
    "no_buckets": (
        "No buckets yet. A delivery stream or `aws s3 mb s3://lake` makes the first.",
        "Aún no hay buckets. Un delivery stream o `aws s3 mb s3://lake` crea el primero.",
        "Ainda não há buckets. Um delivery stream ou `aws s3 mb s3://lake` cria o primeiro.",
    ),
    "up": ("Up", "Subir", "Subir"),
    "folder": ("Folder", "Carpeta", "Pasta"),
    "empty_folder": ("Nothing lies here.", "Aquí no hay nada.", "Não há nada aqui."),
    "listing_cut": (
        "Only the first {count} are shown.",
        "Solo se muestran los primeros {count}.",
        "Só os primeiros {count} são mostrados.",
    ),
    "choose_object": (
        "Choose an object to look into it.",
        "Elija un objeto para ver su contenido.",
        "Escolha um objeto para ver o conteúdo.",
    ),
    "key": ("key", "clave", "chave"),
    "size": ("bytes", "bytes", "bytes"),
    "storage_class": ("class", "clase", "classe"),
    "changed": ("changed", "modificado", "alterado"),
    "catalog": ("Catalog", "Catálogo", "Catálogo"),
    "no_tables": (
        "No tables yet: run a crawler, or CREATE EXTERNAL TABLE in the SQL console.",
        "Aún no hay tablas: ejecute un crawler o CREATE EXTERNAL TABLE en la consola SQL.",
        "Ainda não há tabelas: execute um crawler ou CREATE EXTERNAL TABLE no console SQL.",
    ),
    "table": ("Table", "Tabla", "Tabela"),
    "partitions": ("Partitions", "Particiones", "Partições"),
    "crawlers": ("Crawlers", "Crawlers", "Crawlers"),
    "no_crawlers": ("No crawlers yet.", "Aún no hay crawlers.", "Ainda não há crawlers."),
    "run_crawler": ("Run", "Ejecutar", "Executar"),
    "query": ("Query", "Consulta", "Consulta"),
    "run": ("Run", "Ejecutar", "Executar"),
    "cancel": ("Cancel", "Cancelar", "Cancelar"),
    "save": ("Save", "Guardar", "Salvar"),
    "name": ("Name", "Nombre", "Nome"),
    "database": ("Database", "Base de datos", "Banco de dados"),
    "running": ("Running …", "En ejecución …", "Em execução …"),
    "result_facts": (
        "{rows} rows · {millis} ms · {scanned} scanned",
        "{rows} filas · {millis} ms · {scanned} leídos",
        "{rows} linhas · {millis} ms · {scanned} lidos",
    ),
    "result_cut": (
        "Only the first {count} rows were fetched; the download has these.",
        "Solo se trajeron las primeras {count} filas; la descarga contiene esas.",
        "Só as primeiras {count} linhas foram trazidas; o download contém essas.",
    ),
    "columns_cut": (
        "{count} columns; the first {shown} are shown.",
        "{count} columnas; se muestran las primeras {shown}.",
        "{count} colunas; as primeiras {shown} são mostradas.",
    ),
    "download": ("Download CSV", "Descargar CSV", "Baixar CSV"),
    "history": ("History", "Historial", "Histórico"),
    "saved": ("Saved queries", "Consultas guardadas", "Consultas salvas"),
    "none_saved": ("None saved yet.", "Ninguna guardada aún.", "Nenhuma salva ainda."),
    "use": ("Use", "Usar", "Usar"),
    "as_table": ("Table", "Tabla", "Tabela"),
    "bar": ("Bars", "Barras", "Barras"),
    "line": ("Line", "Línea", "Linha"),
    "pie": ("Pie", "Circular", "Pizza"),
    "heat map": ("Heat map", "Mapa de calor", "Mapa de calor"),
    "no_statement": (
        "Write a statement first.",
        "Primero escriba una sentencia.",
        "Primeiro escreva uma instrução.",
    ),
    "columns": ("Columns", "Columnas", "Colunas"),
    "analytics_help": (
        "Charts over a table of the catalog, computed with Athena. They appear for the columns a table has.",
        "Gráficos sobre una tabla del catálogo, calculados con Athena. Aparecen según las columnas de la tabla.",
        "Gráficos sobre uma tabela do catálogo, calculados com Athena. Aparecem conforme as colunas da tabela.",
    ),
    "no_charts": (
        "This table has none of the columns that the charts need; use the SQL console.",
        "Esta tabla no tiene las columnas que los gráficos necesitan; use la consola SQL.",
        "Esta tabela não tem as colunas de que os gráficos precisam; use o console SQL.",
    ),
    "draw": ("Compute", "Calcular", "Calcular"),
    "by_device": ("Events by device", "Eventos por dispositivo", "Eventos por dispositivo"),
    "traffic_by_page": (
        "Where visitors come from, by page",
        "De dónde vienen los visitantes, por página",
        "De onde vêm os visitantes, por página",
    ),
    "users_per_minute": (
        "Unique users per minute",
        "Usuarios únicos por minuto",
        "Usuários únicos por minuto",
    ),
    "errors_over_time": ("Errors over time", "Errores en el tiempo", "Erros ao longo do tempo"),
    "errors_by_region": ("Errors by region", "Errores por región", "Erros por região"),
    "abandoned_carts": (
        "Sessions with a cart: bought or abandoned",
        "Sesiones con carrito: comprado o abandonado",
        "Sessões com carrinho: comprado ou abandonado",
    ),
    "categories_by_hour": (
        "Events by hour and weekday",
        "Eventos por hora y día de la semana",
        "Eventos por hora e dia da semana",
    ),
    "brands": (
        "Brands with many views and few purchases",
        "Marcas con muchas vistas y pocas compras",
        "Marcas com muitas visualizações e poucas compras",
    ),
    "by_country": ("Revenue by country", "Ingresos por país", "Receita por país"),
    "no_alarms": ("No alarms yet.", "Aún no hay alarmas.", "Ainda não há alarmes."),
    "alarm": ("Alarm", "Alarma", "Alarme"),
    "state_reason": ("Why", "Por qué", "Por quê"),
    "no_points": (
        "No data points in the last 15 minutes.",
        "Sin puntos de datos en los últimos 15 minutos.",
        "Sem pontos de dados nos últimos 15 minutos.",
    ),
    "inbox": ("Inbox", "Bandeja de entrada", "Caixa de entrada"),
    "inbox_help": (
        "A topic's messages end here once the inbox listens to it (an SQS subscription of the topic).",
        "Los mensajes de un topic llegan aquí cuando la bandeja lo escucha (una suscripción SQS del topic).",
        "As mensagens de um tópico chegam aqui quando a caixa o escuta (uma assinatura SQS do tópico).",
    ),
    "letters": ("E-mail and SMS", "Correo y SMS", "E-mail e SMS"),
    "letters_help": (
        "Nothing is sent out: what e-mail and SMS subscriptions would receive is shown here.",
        "No se envía nada: aquí se muestra lo que recibirían las suscripciones de correo y SMS.",
        "Nada é enviado: aqui aparece o que as assinaturas de e-mail e SMS receberiam.",
    ),
    "confirm": (
        "Confirm {endpoint} for {topic}",
        "Confirmar {endpoint} para {topic}",
        "Confirmar {endpoint} para {topic}",
    ),
    "no_letters": ("No letters yet.", "Aún no hay cartas.", "Ainda não há mensagens."),
    "listen": ("Listen to {topic}", "Escuchar {topic}", "Escutar {topic}"),
    "listening": ("Listening to: {topics}", "Escuchando: {topics}", "Escutando: {topics}"),
    "no_messages": ("No messages yet.", "Aún no hay mensajes.", "Ainda não há mensagens."),
    "no_topics": ("No topics yet.", "Aún no hay topics.", "Ainda não há tópicos."),
    "dead_letters": ("Dead letters", "Mensajes fallidos", "Mensagens mortas"),
    "no_dead_letters": (
        "No dead-letter queues: nothing failed, or nobody would notice.",
        "No hay colas de mensajes fallidos: nada falló, o nadie lo notaría.",
        "Não há filas de mensagens mortas: nada falhou, ou ninguém notaria.",
    ),
    "waiting": ("{count} waiting", "{count} en espera", "{count} aguardando"),
    "show_messages": ("Show messages", "Mostrar mensajes", "Mostrar mensagens"),
    "proof_help": (
        "`riacho reconcile` compares the producer's ledger with every sink and keeps its proof in the lake.",
        "`riacho reconcile` compara el registro del productor con cada destino y guarda su prueba en el lago.",
        "`riacho reconcile` compara o registro do produtor com cada destino e guarda a prova no lago.",
    ),
    "no_proofs": (
        "No proof yet: `riacho reconcile --ledger … --bucket …` makes one.",
        "Aún no hay pruebas: `riacho reconcile --ledger … --bucket …` crea una.",
        "Ainda não há provas: `riacho reconcile --ledger … --bucket …` cria uma.",
    ),
    "adds_up": ("It adds up", "Cuadra", "Fecha"),
    "does_not_add_up": ("It does not add up", "No cuadra", "Não fecha"),
    "acknowledged": ("Acknowledged", "Confirmados", "Confirmados"),
    "unconfirmed": ("In doubt", "En duda", "Em dúvida"),
    "last_proof": (
        "{at} UTC · stream {stream}",
        "{at} UTC · stream {stream}",
        "{at} UTC · stream {stream}",
    ),
}


def speaker(language: str) -> Say:
    """`say` for a language; an unknown one is English."""
    column = list(LANGUAGES).index(language) if language in LANGUAGES else 0

    def say(key: str, **values: object) -> str:
        return WORDS[key][column].format(**values)

    return say
