package com.company.project;

import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;

public class Application {
    public static void main(String[] arguments) throws Exception {
        byte[] page = "hello from java".getBytes();
        HttpServer server = HttpServer.create(new InetSocketAddress(8080), 0);
        server.createContext("/", exchange -> {
            exchange.sendResponseHeaders(200, page.length);
            exchange.getResponseBody().write(page);
            exchange.close();
        });
        server.start();
    }
}
