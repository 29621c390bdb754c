package peers

import (
	"fmt"
	"strings"
)

// telegrafLayout is how Telegraf is set up between the broker and InfluxDB.
type telegrafLayout struct {
	// tuned: the settings with which it was fastest here, instead of its own.
	tuned bool
	// parser is the configuration of its input's data format; empty is its own
	// default, the line protocol.
	parser string
}

// bestLayout is the fastest set-up that was found: many points in a message,
// the line protocol at both ends, its faster parser, batches of 5,000, nothing
// compressed on the loopback.
func bestLayout() telegrafLayout {
	return telegrafLayout{tuned: true, parser: "  data_format = \"influx\"\n  influx_parser_type = \"upstream\"\n"}
}

// defaultLayout leaves Telegraf's own settings as they are.
func defaultLayout(parser string) telegrafLayout { return telegrafLayout{parser: parser} }

// jsonParser reads the points of jsonOf.
const jsonParser = `  data_format = "json_v2"
  [[inputs.mqtt_consumer.json_v2]]
    measurement_name = "reading"
    timestamp_path = "time"
    timestamp_format = "unix_ms"
    [[inputs.mqtt_consumer.json_v2.tag]]
      path = "meter"
    [[inputs.mqtt_consumer.json_v2.tag]]
      path = "quantity"
    [[inputs.mqtt_consumer.json_v2.field]]
      path = "exponent"
      type = "int"
    [[inputs.mqtt_consumer.json_v2.field]]
      path = "mantissa"
      type = "int"
    [[inputs.mqtt_consumer.json_v2.field]]
      path = "quality"
      type = "int"
    [[inputs.mqtt_consumer.json_v2.field]]
      path = "value"
      type = "float"
`

// config returns the file. QoS 1 and a persistent session are asked for in any
// case: without them Telegraf loses points with the broker, and the comparison
// would be with something else.
func (l telegrafLayout) config(broker, password, influx string) string {
	var b strings.Builder
	b.WriteString("[agent]\n  omit_hostname = true\n")
	if l.tuned {
		b.WriteString("  interval = \"1s\"\n  flush_interval = \"1s\"\n  metric_batch_size = 5000\n  metric_buffer_limit = 200000\n")
	} else {
		// Its default of 10 s would end each row with 10 s of waiting.
		b.WriteString("  flush_interval = \"1s\"\n")
	}
	fmt.Fprintf(&b, "[[inputs.mqtt_consumer]]\n  servers = [%q]\n  topics = [%q]\n  topic_tag = \"\"\n  qos = 1\n  persistent_session = true\n"+
		"  client_id = %q\n  username = %q\n  password = %q\n", broker, benchTopic, telegrafUser, telegrafUser, password)
	if l.tuned {
		b.WriteString("  max_undelivered_messages = 2000\n")
	}
	b.WriteString(l.parser)
	fmt.Fprintf(&b, "[[outputs.influxdb]]\n  urls = [%q]\n  database = %q\n  skip_database_creation = true\n", influx, seriesDatabase)
	if l.tuned {
		b.WriteString("  content_encoding = \"identity\"\n  timeout = \"30s\"\n")
	}
	return b.String()
}
