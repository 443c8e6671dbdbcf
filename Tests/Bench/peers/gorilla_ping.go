// ping on Go and gorilla/websocket.   gorilla_ping constant|real PORT
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"os"

	"github.com/gorilla/websocket"
)

const constant = `{"jsonrpc":"2.0","id":1,"result":{}}`

type request struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
}

type failure struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

type answer struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  any             `json:"result,omitempty"`
	Error   *failure        `json:"error,omitempty"`
}

func real(text []byte) ([]byte, error) {
	var asked request
	if err := json.Unmarshal(text, &asked); err != nil {
		return nil, err
	}
	told := answer{Version: "2.0", ID: asked.ID}
	if asked.Method == "ping" {
		told.Result = struct{}{}
	} else {
		told.Error = &failure{-32601, "Unknown method: " + asked.Method}
	}
	return json.Marshal(told)
}

func main() {
	isConstant := os.Args[1] == "constant"
	upgrader := websocket.Upgrader{}
	handler := func(writer http.ResponseWriter, asked *http.Request) {
		connection, err := upgrader.Upgrade(writer, asked, nil)
		if err != nil {
			return
		}
		defer connection.Close()
		for {
			kind, text, err := connection.ReadMessage()
			if err != nil {
				return
			}
			told := []byte(constant)
			if !isConstant {
				if told, err = real(text); err != nil {
					return
				}
			}
			if connection.WriteMessage(kind, told) != nil {
				return
			}
		}
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[2], http.HandlerFunc(handler)))
}
