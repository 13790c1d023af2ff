// Carries out operations by jlaffaye/ftp, which come as JSON on standard input, and answers each as
// JSON; see library.py.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"os"
	"time"

	"github.com/jlaffaye/ftp"
)

type task struct {
	Port           int
	User, Password string
	TLS            string
	Implicit       bool
	Certificate    string
	Mode           string
	Operations     [][]interface{}
}

type entry struct {
	Name   string `json:"name"`
	Folder bool   `json:"folder"`
	Size   uint64 `json:"size"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	var todo task
	if err := json.NewDecoder(os.Stdin).Decode(&todo); err != nil {
		return err
	}
	client, err := logIn(&todo)
	if err != nil {
		return err
	}
	answers := []map[string]interface{}{}
	for _, operation := range todo.Operations {
		answer := map[string]interface{}{}
		if value, err := perform(client, operation); err != nil {
			answer["error"] = err.Error()
			var reply *textproto.Error
			if errors.As(err, &reply) {
				answer["code"] = reply.Code
			}
		} else {
			answer["value"] = value
		}
		answers = append(answers, answer)
	}
	if err := client.Quit(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(answers)
}

func logIn(todo *task) (*ftp.ServerConn, error) {
	options := []ftp.DialOption{ftp.DialWithTimeout(20 * time.Second), ftp.DialWithDebugOutput(os.Stderr)}
	options = append(options, ftp.DialWithDisabledMLSD(todo.Mode == "LIST"))
	options = append(options, ftp.DialWithDisabledEPSV(todo.Mode == "PASV"))
	if todo.TLS != "" {
		pem, err := os.ReadFile(todo.Certificate)
		if err != nil {
			return nil, err
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		version := uint16(tls.VersionTLS13)
		if todo.TLS == "1.2" {
			version = tls.VersionTLS12
		}
		config := &tls.Config{
			RootCAs:            roots,
			ServerName:         "localhost",
			MinVersion:         version,
			MaxVersion:         version,
			ClientSessionCache: tls.NewLRUClientSessionCache(32),
		}
		if todo.Implicit {
			options = append(options, ftp.DialWithTLS(config))
		} else {
			options = append(options, ftp.DialWithExplicitTLS(config))
		}
	}
	client, err := ftp.Dial(fmt.Sprintf("127.0.0.1:%d", todo.Port), options...)
	if err != nil {
		return nil, err
	}
	return client, client.Login(todo.User, todo.Password)
}

func perform(client *ftp.ServerConn, operation []interface{}) (interface{}, error) {
	texts, offset := []string{"", "", ""}, uint64(0)
	for number, word := range operation {
		if text, ok := word.(string); ok {
			texts[number] = text
		} else {
			offset = uint64(word.(float64))
		}
	}
	what, one, two := texts[0], texts[1], texts[2]
	switch what {
	case "get":
		return nil, get(client, one, two, offset)
	case "put":
		return nil, send(one, offset, func(file io.Reader) error { return client.StorFrom(two, file, offset) })
	case "append":
		return nil, send(one, 0, func(file io.Reader) error { return client.Append(two, file) })
	case "list":
		found := []entry{}
		entries, err := client.List(one)
		for _, it := range entries {
			found = append(found, entry{it.Name, it.Type == ftp.EntryTypeFolder, it.Size})
		}
		return found, err
	case "walk":
		found := []string{}
		walker := client.Walk(one)
		for walker.Next() {
			found = append(found, walker.Path())
		}
		return found, walker.Err()
	case "names":
		return client.NameList(one)
	case "size":
		return client.FileSize(one)
	case "time":
		found, err := client.GetTime(one)
		return found.Unix(), err
	case "set time":
		return nil, client.SetTime(one, time.Unix(int64(offset), 0))
	case "where":
		return client.CurrentDir()
	case "enter":
		return nil, client.ChangeDir(one)
	case "make":
		return nil, client.MakeDir(one)
	case "rename":
		return nil, client.Rename(one, two)
	case "remove":
		return nil, client.Delete(one)
	case "remove folder":
		return nil, client.RemoveDir(one)
	case "remove all":
		return nil, client.RemoveDirRecur(one)
	}
	return nil, fmt.Errorf("no such operation: %q", what)
}

func get(client *ftp.ServerConn, from, to string, offset uint64) error {
	flags := os.O_WRONLY | os.O_CREATE
	if offset == 0 {
		flags |= os.O_TRUNC
	}
	file, err := os.OpenFile(to, flags, 0o666)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.Seek(int64(offset), io.SeekStart); err != nil {
		return err
	}
	response, err := client.RetrFrom(from, offset)
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, response); err != nil {
		return err
	}
	return response.Close()
}

func send(from string, offset uint64, action func(io.Reader) error) error {
	file, err := os.Open(from)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.Seek(int64(offset), io.SeekStart); err != nil {
		return err
	}
	return action(file)
}
