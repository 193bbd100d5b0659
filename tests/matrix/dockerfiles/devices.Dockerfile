# mknod, and what is done to devices afterwards
FROM busybox
RUN mknod /c c 1 3 && mknod -m 640 /b b 7 200 && chown 5:6 /c && stat -c '%F %t:%T %u:%g %a' /c /b > /seen
RUN cp -a /c /d && rm /b && chown 7 /d && mv /c /moved && stat -c '%F %t:%T %u:%g' /d /moved > /seen
